import { figure } from "@/format/figures";
import { scaleOf, withUnit } from "@/format/units";
import { type Lines, tip } from "@/plots/parts";
import type { Plot } from "@/plots/plot";
import { between, colour, faded, type PlotTheme } from "@/plots/theme";

export interface ParallelAxis {
  label: string;
  /** In their order. */
  values: readonly string[];
}

export interface ParallelLine {
  number: number;
  title: string;
  /** Per axis the place of its value. */
  places: readonly number[];
  score: number;
}

export interface Parallel {
  label: string;
  unit: string;
  direction: "minimize" | "maximize";
  axes: readonly ParallelAxis[];
  lines: readonly ParallelLine[];
  best: number | null;
}

/** More lines than this are drawn thin. */
const MANY = 300;

/** One line per experiment through its parameters to its score. */
export function parallelPlot(data: Parallel): Plot {
  return {
    name: "parallel-coordinates",
    title: "Parallel coordinates",
    summary:
      "A line per experiment through its parameters to its score; strong colour is good. Drag along an axis to select.",
    height: 400,
    option: (theme) => option(data, theme),
    table: {
      columns: ["experiment", ...data.axes.map((axis) => axis.label), `${data.label}, ${data.unit}`],
      rows: data.lines.map((line) => [
        line.title,
        ...data.axes.map((axis, at) => axis.values[line.places[at] ?? -1] ?? null),
        line.score,
      ]),
    },
  };
}

function option(data: Parallel, theme: PlotTheme) {
  const scores = data.lines.map((line) => line.score);
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  const scale = scaleOf(scores, data.unit);
  const share = (score: number) => {
    const part = high > low ? (score - low) / (high - low) : 1;
    return data.direction === "maximize" ? part : 1 - part;
  };
  const many = data.lines.length > MANY;
  const common = {
    nameTextStyle: { color: theme.ink, fontFamily: theme.font, fontSize: 12 },
    axisLine: { lineStyle: { color: theme.lineStrong, width: 1.25 } },
    axisTick: { show: false },
    areaSelectStyle: {
      width: 18,
      color: faded(theme.accent, 0.25),
      borderColor: theme.accent,
      borderWidth: 1,
      opacity: 1,
    },
  };
  const label = {
    color: theme.inkSoft,
    fontFamily: theme.font,
    fontSize: 11,
    width: 96,
    overflow: "truncate",
    backgroundColor: faded(theme.surface, 0.8),
    padding: [1, 3],
    borderRadius: 2,
  };
  return {
    animation: false,
    textStyle: { color: theme.inkSoft, fontFamily: theme.font },
    tooltip: {
      confine: true,
      backgroundColor: theme.surface,
      borderColor: theme.lineStrong,
      textStyle: { color: theme.ink, fontFamily: theme.font },
      formatter: (shown: { data?: { lines?: Lines } }) => tip(shown.data?.lines),
    },
    parallel: {
      left: 40,
      right: 90,
      top: 44,
      bottom: 24,
      axisExpandable: data.axes.length > 10,
      axisExpandCount: 8,
      parallelAxisDefault: common,
    },
    parallelAxis: [
      ...data.axes.map((axis, dim) => ({
        dim,
        name: axis.label,
        type: "category",
        data: axis.values,
        ...common,
        axisLabel: label,
      })),
      {
        dim: data.axes.length,
        name: scale.unit || data.label,
        type: "value",
        scale: true,
        ...common,
        nameTextStyle: { ...common.nameTextStyle, fontWeight: 600 },
        axisLabel: { ...label, formatter: (value: number) => figure(value) },
      },
    ],
    series: [
      {
        type: "parallel",
        lineStyle: { width: many ? 0.75 : 1.5, opacity: many ? 0.35 : 0.75 },
        inactiveOpacity: 0.04,
        activeOpacity: 1,
        progressive: 500,
        emphasis: { lineStyle: { width: 3, opacity: 1 } },
        data: data.lines.map((line) => ({
          value: [...line.places, line.score * scale.factor],
          number: line.number,
          lines: () => [
            line.title,
            withUnit(line.score, data.unit),
            ...data.axes.map((axis, at) => `${axis.label} ${axis.values[line.places[at] ?? -1] ?? ""}`),
          ],
          lineStyle:
            line.number === data.best
              ? { color: colour(theme, 1), width: 3.5, opacity: 1 }
              : { color: between(theme.low, theme.high, share(line.score)) },
        })),
      },
    ],
  };
}
