import type { ExperimentComparison } from "@/api/experiment";
import type { Percentiles } from "@/plots/percentiles";

const KINDS = [
  { name: "ttft", label: "Time to first token" },
  { name: "tpot", label: "Time per output token" },
  { name: "e2e_latency", label: "Latency of a request" },
] as const;
const NAME = /^p(\d+(?:\.\d+)?)_(.+)$/;

/** The percentiles of each latency that the experiments have. */
export function percentilesOf(found: ExperimentComparison): Percentiles[] {
  return KINDS.flatMap((kind) => {
    const measured = Object.entries(found.metrics)
      .flatMap(([name, values]) => {
        const match = NAME.exec(name);
        return match?.[1] && match[2] === kind.name ? [{ percentile: Number(match[1]), values }] : [];
      })
      .sort((a, b) => a.percentile - b.percentile);
    if (measured.length < 2) return [];
    const lines = found.experiments.map((one, at) => ({
      title: found.same_task ? `#${one.experiment_id}` : `task ${one.task_id} #${one.experiment_id}`,
      points: measured.flatMap((entry) => {
        const value = entry.values[at];
        return typeof value === "number" ? [{ percentile: entry.percentile, value }] : [];
      }),
    }));
    return [{ name: kind.name, label: kind.label, unit: "s", lines: lines.filter((line) => line.points.length > 1) }];
  });
}
