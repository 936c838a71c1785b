import { Link } from "@tanstack/react-router";
import type { ListedExperiment } from "@/api/experiment-list";
import { ExperimentStatusBadge } from "@/components/status/status-badge";
import { Badge } from "@/components/ui/badge";
import type { Column } from "@/components/ui/data-table";
import { duration } from "@/format/figures";
import { moment } from "@/format/moments";
import { originName } from "@/format/phases";
import { withUnit } from "@/format/units";

/** The columns of the list over all tasks. By score only experiments of one task can be sorted. */
export function columns(oneTask: boolean): readonly Column<ListedExperiment>[] {
  return [
    {
      id: "id",
      head: "Experiment",
      descendingFirst: true,
      sortBy: ({ id }) => id,
      cell: ({ id, experiment_id, origin, label }) => (
        <Link
          to="/experiments/$experimentId"
          params={{ experimentId: String(id) }}
          className="figures font-medium whitespace-nowrap text-accent underline-offset-2 hover:underline"
        >
          {experiment_id}
          {origin !== "search" && (
            <span className="ml-1.5 font-normal text-ink-soft">{label ?? originName(origin).toLowerCase()}</span>
          )}
        </Link>
      ),
    },
    {
      id: "task",
      head: "Task",
      cell: ({ task_id, task_name }) => (
        <Link
          to="/tasks/$taskId"
          params={{ taskId: String(task_id) }}
          className="block max-w-28 truncate sm:max-w-64 text-accent underline-offset-2 hover:underline"
          title={task_name}
        >
          {task_name}
        </Link>
      ),
    },
    { id: "status", head: "Status", cell: ({ status }) => <ExperimentStatusBadge status={status} /> },
    {
      id: "objective_score",
      head: "Score",
      align: "right",
      descendingFirst: true,
      from: "sm",
      ...(oneTask && { sortBy: ({ objective_score }: ListedExperiment) => objective_score ?? null }),
      cell: ({ objective_score, unit }) => withUnit(objective_score, unit ?? ""),
    },
    {
      id: "slo",
      head: "Hard SLOs",
      from: "md",
      cell: ({ slo_violation }) =>
        slo_violation == null ? (
          <span className="text-ink-soft">–</span>
        ) : (
          <Badge tone={slo_violation ? "bad" : "good"}>{slo_violation ? "Broken" : "Kept"}</Badge>
        ),
    },
    {
      id: "elapsed",
      head: "Took",
      align: "right",
      from: "md",
      cell: ({ elapsed_s }) => duration(elapsed_s),
    },
    {
      id: "finished",
      head: "Ended",
      from: "lg",
      cell: ({ finished_at }) => (
        <span className="figures whitespace-nowrap text-ink-soft">{finished_at ? moment(finished_at) : "–"}</span>
      ),
    },
    {
      id: "reason",
      head: "Reason",
      from: "xl",
      className: "w-full max-w-0",
      cell: ({ error }) =>
        error ? (
          <span className="block truncate text-bad" title={error.diagnosis}>
            {error.diagnosis}
          </span>
        ) : null,
    },
  ];
}
