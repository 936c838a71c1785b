import { scaleOf, withUnit } from "@/format/units";
import { acrossLine, base, valueAxis } from "@/plots/parts";
import type { Plot } from "@/plots/plot";
import { colour, mark, type PlotTheme } from "@/plots/theme";

export interface LoadLine {
  title: string;
  baseline: boolean;
  points: readonly { load: number; value: number; name: string }[];
}

export interface LoadCurves {
  name: string;
  label: string;
  unit: string;
  /** Name of the axis of loads. */
  loads: string;
  lines: readonly LoadLine[];
  limit: number | null;
  /** The highest load that keeps the SLOs, where it was searched. */
  highest: number | null;
}

/** One figure over the loads, a line per configuration. */
export function loadPlot(data: LoadCurves): Plot {
  const values = data.lines.flatMap((line) => line.points.map((point) => point.value));
  const scale = scaleOf([...values, data.limit], data.unit);
  return {
    name: `load-${data.name}`,
    title: data.label,
    summary: `${data.label} by load.${data.limit === null ? "" : " Dashed: the limit."}`,
    height: 290,
    option: (theme) => option(data, scale.factor, scale.unit, theme),
    table: {
      columns: ["configuration", "load point", data.loads, `${data.label}, ${data.unit}`],
      rows: data.lines.flatMap((line) => line.points.map((point) => [line.title, point.name, point.load, point.value])),
    },
  };
}

function option(data: LoadCurves, factor: number, unit: string, theme: PlotTheme) {
  const lines = [
    ...(data.limit === null ? [] : [acrossLine(theme, { yAxis: data.limit * factor }, "limit", theme.bad)]),
    ...(data.highest === null
      ? []
      : [acrossLine(theme, { xAxis: data.highest }, "highest that keeps the SLOs", colour(theme, 2))]),
  ];
  return {
    ...base(theme),
    xAxis: { ...valueAxis(theme, data.loads, "x"), scale: false, min: 0 },
    yAxis: { ...valueAxis(theme, unit, "y"), scale: false, min: 0 },
    series: data.lines.map((line, index) => {
      const colourOf = line.baseline ? theme.inkSoft : colour(theme, index);
      return {
        name: line.title,
        type: "line",
        symbol: line.baseline ? "rect" : mark(index),
        symbolSize: 8,
        lineStyle: { color: colourOf, width: 2, type: line.baseline ? "dashed" : "solid" },
        itemStyle: { color: colourOf },
        data: line.points.map((point) => ({
          value: [point.load, point.value * factor],
          lines: [line.title, point.name, withUnit(point.value, data.unit)],
        })),
        ...(index === 0 && lines.length > 0 && { markLine: { silent: true, symbol: "none", data: lines } }),
      };
    }),
  };
}
