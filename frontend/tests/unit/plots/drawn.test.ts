import { describe, expect, it } from "vitest";
import { asSvg } from "@/plots/canvas";
import { importancePlot } from "@/plots/importance";
import { loadPlot } from "@/plots/load";
import { parallelPlot } from "@/plots/parallel";
import { percentilesPlot } from "@/plots/percentiles";
import type { Plot } from "@/plots/plot";
import { slicePlot } from "@/plots/slice";
import { startsPlot } from "@/plots/starts";
import { between, faded, sixDigits } from "@/plots/theme";
import { timelinePlot } from "@/plots/timeline";
import { type TradeOffPoint, tradeOffPlot } from "@/plots/trade-off";
import { theme } from "./theme";

const at = (number: number, x: number, y: number, place: TradeOffPoint["place"]): TradeOffPoint => ({
  number,
  title: `#${number}`,
  x,
  y,
  low: place === "front" ? [x * 0.9, y * 0.9] : null,
  high: place === "front" ? [x * 1.1, y * 1.1] : null,
  place,
  joined: place === "front",
  role: number === 0 ? "baseline" : number === 2 ? "best" : null,
  lines: () => ["<b>text</b>"],
});

const PLOTS: Plot[] = [
  tradeOffPlot({
    x: { label: "TTFT", unit: "s", direction: "minimize", limits: [{ name: "limit of TTFT", value: 0.5 }] },
    y: { label: "throughput", unit: "tokens/s", direction: "maximize", limits: [] },
    points: [
      at(0, 0.2, 100, "behind"),
      at(1, 0.3, 200, "front"),
      at(2, 0.4, 300, "front"),
      at(3, 0.9, 310, "violating"),
    ],
    confidence: 0.95,
    best: "winner",
  }),
  importancePlot(
    [
      { label: "n_batch", share: 0.8, spread: 0.1, seen: true },
      { label: "threads", share: 0.2, spread: 0.3, seen: false },
    ],
    "A model explains it.",
  ),
  slicePlot({
    parameter: "n_batch",
    best: "64",
    label: "throughput",
    unit: "tokens/s",
    points: [
      { value: "32", measured: 10, number: 1, modelled: 11, low: 9, high: 13 },
      { value: "64", measured: 20, number: 2, modelled: null, low: null, high: null },
    ],
  }),
  timelinePlot(
    Array.from({ length: 60 }, (_, number) => ({ number, title: `#${number}`, seconds: { load: 2, measure: 10 } })),
    ["load", "measure", "teardown"],
  ),
  loadPlot({
    name: "mean_ttft",
    label: "TTFT",
    unit: "s",
    loads: "requests in flight",
    lines: [
      {
        title: "#1",
        baseline: false,
        points: [
          { load: 1, value: 0.1, name: "D(1,1)@1" },
          { load: 4, value: 0.3, name: "D(1,1)@4" },
        ],
      },
    ],
    limit: 0.2,
    highest: 3,
  }),
  startsPlot(
    [
      {
        number: 0,
        title: "#0",
        baseline: true,
        points: [
          { block: 0, score: 5 },
          { block: 1, score: 6 },
        ],
      },
    ],
    "score",
    "s",
  ),
  percentilesPlot({
    name: "ttft",
    label: "TTFT",
    unit: "s",
    lines: [
      {
        title: "#1",
        points: [
          { percentile: 50, value: 0.1 },
          { percentile: 99, value: 0.4 },
        ],
      },
    ],
  }),
  parallelPlot({
    label: "throughput",
    unit: "tokens/s",
    direction: "maximize",
    axes: [{ label: "n_batch", values: ["32", "64"] }],
    lines: [
      { number: 1, title: "#1", places: [0], score: 5 },
      { number: 2, title: "#2", places: [1], score: 9 },
    ],
    best: 2,
  }),
];

describe.each(PLOTS.map((plot) => [plot.name, plot] as const))("%s", (_name, plot) => {
  it("is drawn as a picture of its own", () => {
    const svg = asSvg(plot.option(theme), 600, plot.height);
    expect(svg).toMatch(/^<svg/);
    expect(svg.match(/<path/g)?.length ?? 0).toBeGreaterThan(2);
    expect(svg).not.toContain("NaN");
  });

  it("has a table as wide as its head", () => {
    expect(plot.table.rows.length).toBeGreaterThan(0);
    for (const row of plot.table.rows) expect(row).toHaveLength(plot.table.columns.length);
  });
});

describe("text of others", () => {
  it("never becomes markup", () => {
    const option = PLOTS[0]?.option(theme) as { tooltip: { formatter: (shown: object) => HTMLElement } };
    const shown = option.tooltip.formatter({ data: { lines: ["<img src=x onerror=alert(1)>"] } });
    expect(shown.querySelector("img")).toBeNull();
    expect(shown.textContent).toBe("<img src=x onerror=alert(1)>");
  });
});

describe("colours", () => {
  it("are mixed and let through", () => {
    expect(between("#000000", "#ffffff", 0.5)).toBe("#808080");
    expect(between("#000000", "#ffffff", 7)).toBe("#ffffff");
    expect(faded("#123456", 0.5)).toBe("#12345680");
    expect(sixDigits("#fb0")).toBe("#ffbb00");
    expect(sixDigits("#ffbb00")).toBe("#ffbb00");
  });
});
