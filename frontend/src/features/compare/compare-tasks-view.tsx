import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { resultQuery, type TaskResult } from "@/api/results";
import { Empty, Failed, Loading } from "@/components/states/states";
import { Badge } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { type Side, SideBySide } from "@/features/compare/side-by-side";
import { IntervalBar } from "@/features/results/interval-bar";
import { intervalsOf } from "@/features/results/verdict-panel";
import { duration, figure, gain } from "@/format/figures";
import { parameterName, parameterValue } from "@/format/parameters";
import { percent, withUnit } from "@/format/units";

/** Tasks side by side: their verdicts, what was asked, and the best of each. */
export function CompareTasksView({ ids }: { ids: readonly number[] }) {
  const queries = useQueries({ queries: ids.map((id) => resultQuery(id)) });
  if (ids.length === 0) return <Empty title="Nothing is chosen to compare">Choose tasks in the list of tasks.</Empty>;
  const failed = queries.find((query) => query.error);
  if (failed?.error) return <Failed error={failed.error} again={() => void failed.refetch()} />;
  const results = queries.flatMap((query) => (query.data ? [query.data] : []));
  if (results.length < ids.length) return <Loading lines={8} />;
  return <Compared results={results} />;
}

function Compared({ results }: { results: readonly TaskResult[] }) {
  const line = (name: string, of: (result: TaskResult) => string): Side => {
    const cells = results.map(of);
    return { name, cells, differs: new Set(cells).size > 1 };
  };
  const best = (result: TaskResult) => result.winner ?? result.nearest;
  const names = [...new Set(results.flatMap((result) => Object.keys(best(result)?.parameters ?? {})))];
  const columns = results.map((result) => ({
    key: String(result.task_id),
    head: (
      <span className="grid justify-items-end gap-1">
        <Link to="/tasks/$taskId/results" params={{ taskId: String(result.task_id) }} className="text-accent underline">
          {result.task_name}
        </Link>
        {result.predicted && <Badge tone="warn">predicted</Badge>}
      </span>
    ),
  }));
  const confirmed = results.flatMap((result) => {
    const interval = intervalsOf(result)[0];
    return interval && result.verdict !== "infeasible"
      ? [{ ...interval, title: `${result.task_name} ${interval.title}` }]
      : [];
  });
  const loads = new Set(results.map((result) => JSON.stringify([result.objective, result.scored_at])));
  return (
    <div className="grid gap-5">
      {loads.size > 1 && (
        <p className="rounded-lg border border-warn/40 bg-warn-soft px-4 py-3 text-sm">
          The tasks have different objectives or loads: their scores need not be comparable. Gains are over each task's
          own baseline.
        </p>
      )}
      <Panel title="Verdicts">
        <ul className="grid gap-2 text-sm">
          {results.map((result) => (
            <li key={result.task_id}>
              <span className="font-medium">{result.task_name}:</span> {result.headline}
            </li>
          ))}
        </ul>
        {confirmed.length > 0 && (
          <div className="mt-8">
            <IntervalBar intervals={confirmed} better="better than each task's own baseline" />
          </div>
        )}
      </Panel>
      <Panel title="Side by side" flush>
        <SideBySide
          label="Tasks side by side"
          columns={columns}
          groups={[
            {
              title: "What was asked",
              rows: [
                line("model", (result) => result.model),
                line("engine", (result) => `${result.engine} ${result.engine_version ?? ""}`.trim()),
                line("objective", (result) => result.objective_label),
                line("scored at", (result) => result.scored_at.join(", ")),
                line("SLO", (result) => (result.slo_sentences ?? []).join("; ") || "–"),
              ],
            },
            {
              title: "What came of it",
              rows: [
                line("status", (result) => result.status),
                line("score of the best", (result) => withUnit(best(result)?.score, result.unit)),
                line("score of the baseline", (result) => withUnit(result.baseline?.score, result.unit)),
                line("gain", (result) => gain(result.gain?.gain)),
                line("interval", (result) =>
                  result.gain?.low == null || result.gain.vague
                    ? "–"
                    : `${gain(result.gain.low)} to ${gain(result.gain.high)}`,
                ),
                line("pairs of starts", (result) => figure(result.gain?.pairs)),
                line("noise", (result) => percent(result.noise)),
                line("experiments", (result) => figure(result.experiments?.length)),
                line("server starts", (result) => figure(result.attempts)),
                line("time", (result) => duration(result.elapsed_s)),
              ],
            },
            {
              title: "The best of each",
              rows: names.map((name) =>
                line(parameterName(name), (result) => {
                  const parameters = best(result)?.parameters ?? {};
                  return name in parameters ? parameterValue(parameters[name]) : "–";
                }),
              ),
              none: "None has a best configuration.",
            },
          ]}
        />
      </Panel>
    </div>
  );
}
