import { useId, useMemo } from "react";
import type { MetricName, TaskResult } from "@/api/results";
import { Field, Select } from "@/components/ui/field";
import { axisChoices, tradeOffOf, usualAxes } from "@/features/results/trade-off";
import { useResultsSearch } from "@/features/results/use-results-search";
import { Chart } from "@/plots/chart";
import { tradeOffPlot } from "@/plots/trade-off";

interface TradeOffFigureProps {
  result: TaskResult;
  names: readonly MetricName[];
  onPick: (number: number) => void;
}

/** Configurations by two figures that people choose; the address keeps which. */
export function TradeOffFigure({ result, names, onPick }: TradeOffFigureProps) {
  const [search, change] = useResultsSearch();
  const heading = useId();
  const choices = useMemo(() => axisChoices(result, names), [result, names]);
  const [usualX, usualY] = usualAxes(choices);
  const x = choices.find((choice) => choice.id === search.x) ?? choices.find((choice) => choice.id === usualX);
  const y = choices.find((choice) => choice.id === search.y) ?? choices.find((choice) => choice.id === usualY);
  const plot = useMemo(() => (x && y ? tradeOffPlot(tradeOffOf(result, x, y)) : null), [result, x, y]);
  if (!plot || !x || !y) return null;
  const options = choices.map((choice) => (
    <option key={choice.id} value={choice.id}>
      {choice.axis.label}
    </option>
  ));
  return (
    <section aria-labelledby={heading} className="grid content-start gap-3">
      <h3 id={heading} className="sr-only">
        Trade-off
      </h3>
      <Chart plot={plot} predicted={result.predicted ?? false} file={result.task_name} onPick={onPick} />
      <div className="grid grid-cols-2 gap-3">
        <Field label="Across">
          {(tied) => (
            <Select {...tied} value={x.id} onChange={(event) => change({ x: event.target.value })}>
              {options}
            </Select>
          )}
        </Field>
        <Field label="Up">
          {(tied) => (
            <Select {...tied} value={y.id} onChange={(event) => change({ y: event.target.value })}>
              {options}
            </Select>
          )}
        </Field>
      </div>
      {result.words.front && <p className="text-sm text-ink-soft">{result.words.front}</p>}
    </section>
  );
}
