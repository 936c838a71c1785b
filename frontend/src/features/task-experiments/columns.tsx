import { Link } from "@tanstack/react-router";
import type { ExperimentShown } from "@/api/task-experiments";
import { ExperimentStatusBadge } from "@/components/status/status-badge";
import { Badge } from "@/components/ui/badge";
import type { Column } from "@/components/ui/data-table";
import { parametersText } from "@/format/parameters";
import { originName } from "@/format/phases";
import { withUnit } from "@/format/units";

/** The columns of a task's experiments. Sorting is the service's. */
export function columns(onOpen: (id: number) => void): Column<ExperimentShown>[] {
  return [
    {
      id: "number",
      head: "No.",
      align: "right",
      sortBy: ({ experiment_id }) => experiment_id,
      cell: ({ id, experiment_id }) => (
        <Link
          to="/experiments/$experimentId"
          params={{ experimentId: String(id) }}
          className="text-accent underline underline-offset-2"
        >
          {experiment_id}
        </Link>
      ),
    },
    { id: "status", head: "Status", cell: ({ status }) => <ExperimentStatusBadge status={status} /> },
    { id: "origin", head: "Asked for by", from: "md", cell: ({ origin, label }) => label ?? originName(origin) },
    {
      id: "parameters",
      head: "Parameters",
      className: "max-w-0 w-full",
      cell: ({ parameters, error }) => (
        <>
          <span className="block truncate font-mono text-[13px]" title={parametersText(parameters)}>
            {parametersText(parameters) || "engine defaults"}
          </span>
          {error && <span className="block truncate text-bad">{error.diagnosis}</span>}
        </>
      ),
    },
    {
      id: "objective_score",
      head: "Score",
      align: "right",
      sortBy: ({ objective_score }) => objective_score ?? null,
      cell: ({ objective_score, unit }) => withUnit(objective_score, unit ?? ""),
    },
    {
      id: "slo",
      head: "Hard SLOs",
      from: "sm",
      cell: ({ slo_violation }) =>
        slo_violation == null ? (
          <span className="text-ink-soft">–</span>
        ) : (
          <Badge tone={slo_violation ? "bad" : "good"}>{slo_violation ? "Broken" : "Kept"}</Badge>
        ),
    },
    {
      id: "open",
      head: "",
      cell: ({ id, experiment_id }) => (
        <button
          type="button"
          onClick={() => onOpen(id)}
          aria-label={`Timings and failure of experiment ${experiment_id}`}
          className="cursor-pointer text-accent underline underline-offset-2"
        >
          Timings
        </button>
      ),
    },
  ];
}
