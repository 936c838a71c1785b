import { useQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { dashboardQuery } from "@/api/dashboard";
import { PageHead } from "@/components/layout/page-head";
import { QueryStates } from "@/components/states/states";
import { Counts } from "@/features/dashboard/counts";
import { FirstSteps } from "@/features/dashboard/first-steps";
import { Gpus } from "@/features/dashboard/gpus";
import { QueuedTasks, RunningTasks } from "@/features/dashboard/moving-tasks";
import { Timeline } from "@/features/dashboard/timeline";
import { Workers } from "@/features/dashboard/workers";

export const Route = createFileRoute("/")({
  loader: ({ context }) => void context.queryClient.prefetchQuery(dashboardQuery),
  component: Page,
});

function Page() {
  const dashboard = useQuery(dashboardQuery);
  return (
    <>
      <PageHead title="Dashboard" />
      <QueryStates query={dashboard} lines={6}>
        {({ counts, workers, gpus, timeline }) => {
          const empty = Object.values(counts.tasks).every((count) => count === 0);
          return (
            <div className="grid gap-4">
              {empty ? <FirstSteps /> : <Counts counts={counts} />}
              {!empty && (
                <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
                  <RunningTasks />
                  <QueuedTasks />
                </div>
              )}
              {!empty && <Timeline hours={timeline} />}
              <div className="grid items-start gap-4 lg:grid-cols-2">
                <Workers workers={workers} />
                <Gpus gpus={gpus} />
              </div>
            </div>
          );
        }}
      </QueryStates>
    </>
  );
}
