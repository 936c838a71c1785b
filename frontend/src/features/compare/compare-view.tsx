import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { comparisonQuery, type ExperimentComparison } from "@/api/experiment";
import { type MetricName, metricNamesQuery } from "@/api/results";
import { Empty, QueryStates } from "@/components/states/states";
import { ExperimentStatusBadge } from "@/components/status/status-badge";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { percentilesOf } from "@/features/compare/shaping";
import { type Side, SideBySide } from "@/features/compare/side-by-side";
import { csv } from "@/format/csv";
import { parameterName, parameterValue } from "@/format/parameters";
import { saveText } from "@/format/saving";
import { withUnit } from "@/format/units";
import { Chart } from "@/plots/chart";
import { percentilesPlot } from "@/plots/percentiles";

/** Up to eight experiments side by side: what differs in their parameters, and what came of it. */
export function CompareView({ ids }: { ids: readonly number[] }) {
  const query = useQuery({ ...comparisonQuery(ids), enabled: ids.length > 0 });
  const names = useQuery(metricNamesQuery);
  if (ids.length === 0) {
    return (
      <Empty title="Nothing is chosen to compare">
        Choose experiments in the table of a task's results, or in the list of all experiments.
      </Empty>
    );
  }
  return (
    <QueryStates query={query}>{(found) => <Compared found={found} names={names.data ?? []} ids={ids} />}</QueryStates>
  );
}

interface ComparedProps {
  found: ExperimentComparison;
  names: readonly MetricName[];
  ids: readonly number[];
}

function Compared({ found, names, ids }: ComparedProps) {
  const sides = found.experiments;
  const columns = sides.map((one) => ({
    key: String(one.id),
    head: (
      <span className="grid justify-items-end gap-1">
        <Link
          to="/experiments/$experimentId"
          params={{ experimentId: String(one.id) }}
          className="text-accent underline"
        >
          {found.same_task ? `#${one.experiment_id}` : `task ${one.task_id} #${one.experiment_id}`}
          {one.label ? ` ${one.label}` : ""}
        </Link>
        <ExperimentStatusBadge status={one.status} />
        <Link
          to="/compare"
          search={{ ids: ids.filter((id) => id !== one.id).join(",") }}
          className="text-xs font-normal text-ink-soft underline"
          aria-label={`Leave out experiment ${one.experiment_id}`}
        >
          leave out
        </Link>
      </span>
    ),
  }));
  const parameters: Side[] = Object.entries(found.parameters).map(([name, values]) => ({
    name: parameterName(name),
    cells: values.map((value) => parameterValue(value)),
    differs: true,
  }));
  const known = new Map(names.map((name) => [name.name, name]));
  const figures: Side[] = names.flatMap((name) => {
    const values = found.metrics[name.name];
    return values
      ? [
          {
            name: name.label,
            cells: values.map((value) => withUnit(value, name.unit)),
            bars: values,
            differs: differ(values),
          },
        ]
      : [];
  });
  const score: Side = {
    name: "score",
    cells: sides.map((one) => withUnit(one.objective_score, one.unit ?? "")),
    ...(found.same_task && { bars: sides.map((one) => one.objective_score ?? null) }),
    differs: differ(sides.map((one) => one.objective_score ?? null)),
  };
  const slo: Side = {
    name: "hard SLOs",
    cells: sides.map((one) => sloCell(one.slo_violation)),
    differs: differ(sides.map((one) => String(one.slo_violation))),
  };
  const save = () => {
    const head = ["", ...sides.map((one) => `task ${one.task_id} experiment ${one.experiment_id}`)];
    const rows = [
      ...Object.entries(found.parameters).map(([name, values]) => [
        parameterName(name),
        ...values.map((value) => parameterValue(value)),
      ]),
      ...Object.entries(found.metrics).map(([name, values]) => [unitName(known, name), ...values]),
    ];
    saveText("comparison.csv", csv({ columns: head, rows }), "text/csv");
  };
  const plots = percentilesOf(found).map(percentilesPlot);
  return (
    <div className="grid gap-5">
      {!found.same_task && (
        <p className="rounded-lg border border-warn/40 bg-warn-soft px-4 py-3 text-sm">
          They belong to different tasks and were maybe measured under other loads: the figures need not be comparable.
        </p>
      )}
      <Panel
        title="Side by side"
        flush
        actions={
          <Button size="small" onClick={save}>
            Save as CSV
          </Button>
        }
      >
        <SideBySide
          label="Experiments side by side"
          columns={columns}
          groups={[
            { title: "Parameters that differ", rows: parameters, none: "All parameters are equal." },
            { title: "What came of it", rows: [score, slo, ...figures] },
          ]}
        />
      </Panel>
      {plots.length > 0 && (
        <Panel title="Distributions">
          <div className="grid gap-x-8 gap-y-7 lg:grid-cols-2 2xl:grid-cols-3">
            {plots.map((plot) => (
              <Chart key={plot.name} plot={plot} file="comparison" />
            ))}
          </div>
        </Panel>
      )}
    </div>
  );
}

const unitName = (known: ReadonlyMap<string, MetricName>, name: string): string => {
  const found = known.get(name);
  return found?.unit ? `${found.label}, ${found.unit}` : (found?.label ?? name);
};

const differ = (values: readonly unknown[]): boolean => new Set(values).size > 1;

function sloCell(violated: boolean | null | undefined) {
  if (violated === null || violated === undefined) return "–";
  return <Badge tone={violated ? "bad" : "good"}>{violated ? "violated" : "met"}</Badge>;
}
