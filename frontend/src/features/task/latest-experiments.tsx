import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ExperimentShown, taskExperimentsQuery } from "@/api/task-experiments";
import { Empty, QueryStates } from "@/components/states/states";
import { ExperimentStatusBadge } from "@/components/status/status-badge";
import { Panel } from "@/components/ui/panel";
import { parametersText } from "@/format/parameters";
import { originName } from "@/format/phases";
import { withUnit } from "@/format/units";

const SHOWN = 12;

/** The last experiments of a task, a line each. */
export function LatestExperiments({ taskId }: { taskId: number }) {
  const latest = useQuery(taskExperimentsQuery(taskId, { sort: "number", descending: true, size: SHOWN }));
  const total = latest.data?.total ?? 0;
  return (
    <Panel
      title="Latest experiments"
      flush
      actions={
        total > SHOWN && (
          <Link
            to="/tasks/$taskId/experiments"
            params={{ taskId: String(taskId) }}
            className="text-sm text-accent underline underline-offset-2"
          >
            All {total.toLocaleString("en-US")}
          </Link>
        )
      }
    >
      <QueryStates query={latest}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No experiment yet">
              The first one is the baseline: the engine as it is without any setting.
            </Empty>
          ) : (
            <ol className="divide-y divide-line border-t border-line text-sm">
              {items.map((item) => (
                <Line key={item.id} item={item} />
              ))}
            </ol>
          )
        }
      </QueryStates>
    </Panel>
  );
}

function Line({ item }: { item: ExperimentShown }) {
  return (
    <li className="grid grid-cols-[2.5rem_minmax(0,1fr)_auto] items-baseline gap-x-3 px-4 py-1.5 hover:bg-sunken/60 sm:grid-cols-[2.5rem_7rem_minmax(0,1fr)_auto]">
      <span className="figures text-right text-ink-soft">{item.experiment_id}</span>
      <span className="max-sm:hidden">
        <ExperimentStatusBadge status={item.status} />
      </span>
      <span className="min-w-0 truncate font-mono text-[13px]">
        {item.origin === "search" ? parametersText(item.parameters) : (item.label ?? originName(item.origin))}
        {item.error && <span className="font-sans text-bad"> {item.error.diagnosis}</span>}
      </span>
      <span className="figures text-right whitespace-nowrap">
        {item.objective_score !== null && item.objective_score !== undefined
          ? withUnit(item.objective_score, item.unit ?? "")
          : ""}
        {item.slo_violation && <span className="text-warn"> misses an SLO</span>}
      </span>
    </li>
  );
}
