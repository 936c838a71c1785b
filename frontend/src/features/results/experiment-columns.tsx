import { Link } from "@tanstack/react-router";
import type { Experiment, MetricName, TaskResult } from "@/api/results";
import { ExperimentStatusBadge } from "@/components/status/status-badge";
import type { Column } from "@/components/ui/data-table";
import { metricOf, shownMetrics, titleOf, variedParameters } from "@/features/results/shaping";
import { SloBadge } from "@/features/results/slo-badges";
import { duration, gain } from "@/format/figures";
import { parameterName, parameterValue } from "@/format/parameters";
import { withUnit } from "@/format/units";

/** A column that can be left out. */
export interface Choosable extends Column<Experiment> {
  /** What it holds, as plain text or a number, when the table is saved. */
  plain: (row: Experiment) => string | number | null;
  /** Name of the column in what is saved, with its unit. */
  saved: string;
  /** Shown unless others are chosen. */
  usual: boolean;
}

const USUAL_METRICS = new Set(["mean_total_throughput", "mean_ttft", "p90_ttft", "mean_tpot", "p90_e2e_latency"]);

/** Every column that the experiments of a result can have. */
export function experimentColumns(result: TaskResult, names: readonly MetricName[]): Choosable[] {
  const experiments = result.experiments ?? [];
  const wordsOf = (row: Experiment) => result.words.experiments[row.number];
  const best = result.winner?.number ?? result.nearest?.number;
  const fixed: Choosable[] = [
    {
      id: "number",
      head: "experiment",
      saved: "experiment",
      usual: true,
      cell: (row) => (
        <Link
          to="/experiments/$experimentId"
          params={{ experimentId: String(row.id) }}
          className="font-medium whitespace-nowrap text-accent underline-offset-2 hover:underline"
        >
          {titleOf(result, row.number)}
          {row.number === best && <span className="font-normal text-ink-soft"> {result.words.chosen}</span>}
        </Link>
      ),
      plain: (row) => titleOf(result, row.number),
      sortBy: (row) => row.number,
    },
    {
      id: "status",
      head: "status",
      saved: "status",
      usual: true,
      cell: (row) => <ExperimentStatusBadge status={row.status} />,
      plain: (row) => row.status,
      sortBy: (row) => row.status,
    },
    {
      id: "score",
      head: result.objective_label,
      saved: `${result.objective_label}, ${result.unit}`,
      usual: true,
      cell: (row) => <span className="font-medium">{withUnit(row.score, result.unit)}</span>,
      plain: (row) => row.score ?? null,
      sortBy: (row) => row.score ?? null,
      align: "right",
      descendingFirst: result.direction === "maximize",
    },
    {
      id: "gain",
      head: "against the baseline",
      saved: "gain over the baseline, share",
      usual: true,
      cell: (row) => gain(wordsOf(row)?.gain),
      plain: (row) => wordsOf(row)?.gain ?? null,
      sortBy: (row) => wordsOf(row)?.gain ?? null,
      align: "right",
      descendingFirst: true,
    },
    {
      id: "slo",
      head: "SLO",
      saved: "SLO",
      usual: true,
      cell: (row) => <SloBadge word={wordsOf(row)?.slo ?? "–"} eligible={row.eligible ?? false} />,
      plain: (row) => row.slo_reason ?? wordsOf(row)?.slo ?? null,
      sortBy: (row) => wordsOf(row)?.slo ?? null,
    },
  ];
  const parameters = variedParameters(experiments).map(
    (name): Choosable => ({
      id: `parameter:${name}`,
      head: parameterName(name),
      saved: parameterName(name),
      usual: true,
      cell: (row) => parameterValue(row.parameters[name]),
      plain: (row) => plainValue(row.parameters[name]),
      sortBy: (row) => sortable(row.parameters[name]),
    }),
  );
  const metrics = shownMetrics(experiments, names)
    .filter((name) => result.objective_label !== name.label)
    .map(
      (name): Choosable => ({
        id: `metric:${name.name}`,
        head: name.label,
        saved: name.unit ? `${name.label}, ${name.unit}` : name.label,
        usual: USUAL_METRICS.has(name.name),
        cell: (row) => withUnit(metricOf(row, name.name), name.unit),
        plain: (row) => metricOf(row, name.name),
        sortBy: (row) => metricOf(row, name.name),
        align: "right",
      }),
    );
  const last: Choosable[] = [
    {
      id: "elapsed",
      head: "time",
      saved: "time, s",
      usual: false,
      cell: (row) => duration(row.elapsed_s),
      plain: (row) => row.elapsed_s ?? null,
      sortBy: (row) => row.elapsed_s ?? null,
      align: "right",
    },
    {
      id: "why",
      head: "why it has no figures, or ended early",
      saved: "why",
      usual: false,
      cell: (row) => <span className="line-clamp-2 max-w-96 min-w-56">{why(result, row) || "–"}</span>,
      plain: (row) => why(result, row) || null,
    },
  ];
  return [...fixed, ...parameters, ...metrics, ...last];
}

const why = (result: TaskResult, row: Experiment): string =>
  row.failure?.diagnosis ?? result.words.experiments[row.number]?.ended_early ?? "";

const plainValue = (value: unknown): string | number | null =>
  typeof value === "number" || typeof value === "string"
    ? value
    : value === null || value === undefined
      ? null
      : String(value);

const sortable = (value: unknown): string | number | null =>
  typeof value === "number" ? value : value === null || value === undefined ? null : String(value);

/** Whether an experiment is among those that are looked for. */
export function isWanted(result: TaskResult, row: Experiment, find: string, state: string | undefined): boolean {
  if (state === "met" && !(row.eligible && typeof row.score === "number")) return false;
  if (state === "violated" && !(typeof row.score === "number" && !row.eligible)) return false;
  if (state === "failed" && row.status !== "failed") return false;
  if (!find) return true;
  const text = [
    titleOf(result, row.number),
    row.status,
    row.slo_reason ?? "",
    row.failure?.diagnosis ?? "",
    ...Object.entries(row.parameters).map(([name, value]) => `${parameterName(name)}=${parameterValue(value)}`),
  ]
    .join(" ")
    .toLowerCase();
  return find
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
