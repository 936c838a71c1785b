import { named, scaleOf, withUnit } from "@/format/units";
import { base, valueAxis } from "@/plots/parts";
import type { Plot } from "@/plots/plot";
import { colour, mark } from "@/plots/theme";

export interface StartsLine {
  number: number;
  title: string;
  baseline: boolean;
  points: readonly { block: number; score: number }[];
}

/** The score of every start of the confirmation: starts of one round stand above each other. */
export function startsPlot(lines: readonly StartsLine[], label: string, unitOf: string): Plot {
  const scale = scaleOf(
    lines.flatMap((line) => line.points.map((point) => point.score)),
    unitOf,
  );
  return {
    name: "starts",
    title: "Starts of the confirmation",
    summary: "Score of each start; those of one round stand above each other and are compared as a pair.",
    height: 300,
    option: (theme) => ({
      ...base(theme),
      xAxis: { ...valueAxis(theme, "round", "x"), minInterval: 1, splitLine: { show: false } },
      yAxis: valueAxis(theme, named(label, scale.unit), "y"),
      series: lines.map((line, index) => {
        const colourOf = line.baseline ? theme.inkSoft : colour(theme, index);
        return {
          name: line.title,
          type: "line",
          symbol: line.baseline ? "rect" : mark(index),
          symbolSize: 8,
          lineStyle: { color: colourOf, width: 1.75, type: line.baseline ? "dashed" : "solid" },
          itemStyle: { color: colourOf },
          data: line.points.map((point) => ({
            value: [point.block + 1, point.score * scale.factor],
            number: line.number,
            lines: [line.title, `round ${point.block + 1}`, withUnit(point.score, unitOf)],
          })),
        };
      }),
    }),
    table: {
      columns: ["experiment", "round", named(label, unitOf)],
      rows: lines.flatMap((line) => line.points.map((point) => [line.title, point.block + 1, point.score])),
    },
  };
}
