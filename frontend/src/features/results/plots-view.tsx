import { useMemo, useState } from "react";
import type { MetricName, TaskResult } from "@/api/results";
import { Empty } from "@/components/states/states";
import { Panel } from "@/components/ui/panel";
import { Brushed } from "@/features/results/brushed";
import { importanceOf, loadCurvesOf, PHASES, parallelOf, slicesOf, timelineOf } from "@/features/results/shaping";
import { Pair, useOpenExperiment } from "@/features/results/verdict-view";
import { Chart } from "@/plots/chart";
import { importancePlot } from "@/plots/importance";
import { loadPlot } from "@/plots/load";
import { parallelPlot } from "@/plots/parallel";
import { slicePlot } from "@/plots/slice";
import { timelinePlot } from "@/plots/timeline";

/** Everything that the experiments say beyond the verdict, drawn. */
export function PlotsView({ result, names }: { result: TaskResult; names: readonly MetricName[] }) {
  const open = useOpenExperiment(result);
  const [brushed, setBrushed] = useState<readonly number[]>([]);
  const shown = useMemo(() => {
    const parallel = parallelOf(result);
    const bars = importanceOf(result);
    return {
      parallel,
      parallelPlot: parallel && parallelPlot(parallel),
      importance: bars.length ? importancePlot(bars, result.words.importance ?? "") : null,
      slices: slicesOf(result).map(slicePlot),
      timeline: timelinePlot(timelineOf(result), PHASES),
      loads: loadCurvesOf(result, names).map(loadPlot),
    };
  }, [result, names]);
  const common = { predicted: result.predicted ?? false, file: result.task_name };
  if (!shown.parallel && shown.timeline.table.rows.length === 0) {
    return <Empty title="Nothing to draw yet">Plots appear with the first measured experiments.</Empty>;
  }
  return (
    <div className="grid gap-5">
      {shown.loads.length > 0 && (
        <Panel title="Over the load">
          <Pair>
            {shown.loads.map((plot) => (
              <Chart key={plot.name} plot={plot} {...common} />
            ))}
          </Pair>
        </Panel>
      )}
      {shown.parallel && shown.parallelPlot && (
        <Panel title="Parameters and score">
          <Chart plot={shown.parallelPlot} {...common} onPick={open} onBrush={setBrushed} />
          <Brushed result={result} numbers={brushed.flatMap((at) => shown.parallel?.lines[at]?.number ?? [])} />
        </Panel>
      )}
      <Panel title="What each parameter does">
        {shown.importance ? (
          <Chart plot={shown.importance} {...common} />
        ) : (
          <p className="text-sm text-ink-soft">
            {result.words.importance ?? "Nothing was searched, so there is no importance."}
          </p>
        )}
        {shown.slices.length > 0 && (
          <>
            <p className="mt-7 mb-3 text-sm text-ink-soft">
              Each parameter alone, the others as in the {result.words.chosen}. A model's expectation is never a
              measurement.
            </p>
            <div className="grid gap-x-8 gap-y-7 md:grid-cols-2 2xl:grid-cols-3">
              {shown.slices.map((plot) => (
                <Chart key={plot.name} plot={plot} {...common} onPick={open} />
              ))}
            </div>
          </>
        )}
      </Panel>
      {shown.timeline.table.rows.length > 0 && (
        <Panel>
          <Chart plot={shown.timeline} {...common} onPick={open} />
        </Panel>
      )}
    </div>
  );
}
