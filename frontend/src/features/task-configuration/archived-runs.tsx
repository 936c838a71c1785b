import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { archivedRunsQuery } from "@/api/tasks";
import { QueryStates } from "@/components/states/states";
import { TaskStatusBadge } from "@/components/status/status-badge";
import { Panel } from "@/components/ui/panel";
import { experimentCount } from "@/features/task-actions/availability";
import { moment } from "@/format/moments";

/** What the task did before it was begun anew, each run as a task of its own. */
export function ArchivedRuns({ taskId }: { taskId: number }) {
  const runs = useQuery(archivedRunsQuery(taskId));
  return (
    <Panel title="Earlier runs">
      <QueryStates query={runs} lines={2}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="text-sm text-ink-soft">The earlier runs were deleted.</p>
          ) : (
            <ul className="grid gap-1.5 text-sm">
              {items.map((run) => (
                <li key={run.id} className="flex flex-wrap items-center gap-x-3">
                  <Link
                    to="/tasks/$taskId"
                    params={{ taskId: String(run.id) }}
                    className="text-accent underline underline-offset-2"
                  >
                    Run {run.run}
                  </Link>
                  <TaskStatusBadge status={run.status} />
                  <span className="figures text-ink-soft">
                    {experimentCount(run)} experiments{run.finished_at && `, ended ${moment(run.finished_at)}`}
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </QueryStates>
    </Panel>
  );
}
