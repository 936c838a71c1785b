import { scaleOf, withUnit } from "@/format/units";
import { base, valueAxis, wordAxis } from "@/plots/parts";
import type { Plot } from "@/plots/plot";
import { colour, mark } from "@/plots/theme";

export interface Percentiles {
  name: string;
  label: string;
  unit: string;
  lines: readonly { title: string; points: readonly { percentile: number; value: number }[] }[];
}

/** The known percentiles of one figure, a line per experiment. */
export function percentilesPlot(data: Percentiles): Plot {
  const scale = scaleOf(
    data.lines.flatMap((line) => line.points.map((point) => point.value)),
    data.unit,
  );
  const known = [...new Set(data.lines.flatMap((line) => line.points.map((point) => point.percentile)))].sort(
    (a, b) => a - b,
  );
  return {
    name: `percentiles-${data.name}`,
    title: data.label,
    summary: `${data.label} by percentile of the requests.`,
    height: 280,
    option: (theme) => ({
      ...base(theme),
      xAxis: wordAxis(
        theme,
        known.map((percentile) => `p${percentile}`),
        "percentile",
      ),
      yAxis: { ...valueAxis(theme, scale.unit, "y"), scale: false, min: 0 },
      series: data.lines.map((line, index) => ({
        name: line.title,
        type: "line",
        symbol: mark(index),
        symbolSize: 8,
        lineStyle: { color: colour(theme, index), width: 2 },
        itemStyle: { color: colour(theme, index) },
        data: line.points.map((point) => ({
          value: [known.indexOf(point.percentile), point.value * scale.factor],
          lines: [line.title, `p${point.percentile}: ${withUnit(point.value, data.unit)}`],
        })),
      })),
    }),
    table: {
      columns: ["experiment", "percentile", `${data.label}, ${data.unit}`],
      rows: data.lines.flatMap((line) => line.points.map((point) => [line.title, point.percentile, point.value])),
    },
  };
}
