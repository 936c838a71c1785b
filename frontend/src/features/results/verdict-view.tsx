import { useNavigate } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import { type ReactNode, useCallback, useMemo } from "react";
import type { MetricName, TaskResult } from "@/api/results";
import { Panel } from "@/components/ui/panel";
import { BestCard } from "@/features/results/best-card";
import { Failures } from "@/features/results/failures";
import { Finalists } from "@/features/results/finalists";
import { Further } from "@/features/results/further";
import { historyOf, startsOf } from "@/features/results/shaping";
import { Standing } from "@/features/results/standing";
import { TradeOffFigure } from "@/features/results/trade-off-figure";
import { VerdictPanel } from "@/features/results/verdict-panel";
import { Chart } from "@/plots/chart";
import { historyPlot } from "@/plots/history";
import { startsPlot } from "@/plots/starts";

/** The answer, on what it rests, and the best configuration. */
export function VerdictView({ result, names }: { result: TaskResult; names: readonly MetricName[] }) {
  const open = useOpenExperiment(result);
  const history = useMemo(() => historyPlot(historyOf(result)), [result]);
  const starts = useMemo(() => startsPlot(startsOf(result), result.objective_label, result.unit), [result]);
  const predicted = result.predicted ?? false;
  const scored = (result.experiments ?? []).some((experiment) => typeof experiment.score === "number");
  return (
    <div className="grid gap-5">
      <VerdictPanel result={result} />
      <Warnings warnings={result.warnings ?? []} />
      <Standing result={result} />
      <BestCard result={result} names={names} />
      {scored && (
        <Panel>
          <Pair>
            <Chart plot={history} predicted={predicted} file={result.task_name} onPick={open} />
            <TradeOffFigure result={result} names={names} onPick={open} />
          </Pair>
        </Panel>
      )}
      {starts.table.rows.length > 0 && (
        <Panel title="Evidence">
          <div className="grid gap-6">
            <Finalists result={result} />
            <Chart plot={starts} predicted={predicted} file={result.task_name} onPick={open} />
          </div>
        </Panel>
      )}
      <Failures result={result} />
      <Further result={result} />
    </div>
  );
}

/** Two beside each other where there is room. */
export function Pair({ children }: { children: ReactNode }) {
  return <div className="grid gap-x-8 gap-y-7 xl:grid-cols-2">{children}</div>;
}

/** Goes to an experiment by its number within the task. */
export function useOpenExperiment(result: TaskResult): (number: number) => void {
  const navigate = useNavigate();
  return useCallback(
    (number: number) => {
      const id = result.experiments?.find((experiment) => experiment.number === number)?.id;
      if (id !== undefined) void navigate({ to: "/experiments/$experimentId", params: { experimentId: String(id) } });
    },
    [navigate, result],
  );
}

function Warnings({ warnings }: { warnings: readonly string[] }) {
  if (warnings.length === 0) return null;
  return (
    <ul aria-label="Warnings" className="grid gap-1.5 rounded-lg border border-warn/40 bg-warn-soft px-4 py-3 text-sm">
      {warnings.map((warning) => (
        <li key={warning} className="flex gap-2.5">
          <TriangleAlert size={16} aria-hidden className="mt-0.5 shrink-0 text-warn" />
          {capital(warning)}.
        </li>
      ))}
    </ul>
  );
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
