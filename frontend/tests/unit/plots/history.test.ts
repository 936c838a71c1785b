import { describe, expect, it } from "vitest";
import { type History, type HistoryPoint, historyPlot, withBest } from "@/plots/history";
import { theme } from "./theme";

const point = (number: number, score: number | null, state: HistoryPoint["state"] = "eligible"): HistoryPoint => ({
  number,
  title: `#${number}`,
  score,
  state,
  lines: () => [],
});

const history = (points: HistoryPoint[], direction: History["direction"] = "maximize"): History => ({
  label: "throughput",
  unit: "tokens/s",
  direction,
  points,
  baseline: 10,
  best: { number: 2, name: "winner" },
});

describe("best so far", () => {
  const points = [point(0, 10), point(1, 30, "violating"), point(2, 20), point(3, null, "failed"), point(4, 15)];

  it("rises only with what keeps the SLOs", () => {
    expect(withBest(history(points)).map(({ best }) => best)).toEqual([10, 10, 20, 20, 20]);
  });

  it("falls where less is better", () => {
    expect(withBest(history(points, "minimize")).map(({ best }) => best)).toEqual([10, 10, 10, 10, 10]);
  });

  it("is nothing before the first one", () => {
    expect(withBest(history([point(0, null, "failed"), point(1, 5)])).map(({ best }) => best)).toEqual([null, 5]);
  });
});

describe("the plot", () => {
  it("has a row per experiment in its table", () => {
    const plot = historyPlot(history([point(0, 10), point(1, null, "failed"), point(2, 20)]));
    expect(plot.table.rows).toEqual([
      ["#0", "keeps the hard SLOs", 10, 10],
      ["#1", "failed", null, 10],
      ["#2", "keeps the hard SLOs", 20, 20],
    ]);
  });

  it("leaves out of the legend what there is none of", () => {
    const option = historyPlot(history([point(0, 10), point(2, 20)])).option(theme) as { series: { name?: string }[] };
    expect(option.series.flatMap((series) => series.name ?? [])).toEqual([
      "best so far",
      "keeps the hard SLOs",
      "winner",
    ]);
  });

  it("takes ten thousand experiments", () => {
    const many = Array.from({ length: 10_000 }, (_, at) => point(at, Math.sin(at), at % 3 ? "eligible" : "violating"));
    const option = historyPlot(history(many)).option(theme) as { series: { data: unknown[] }[] };
    expect(option.series.reduce((sum, series) => sum + series.data.length, 0)).toBeGreaterThan(10_000);
  });
});
