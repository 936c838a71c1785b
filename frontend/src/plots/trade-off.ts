import { named, scaleOf, withUnit } from "@/format/units";
import { acrossLine, base, CROSS, capital, errorBars, STAR, valueAxis } from "@/plots/parts";
import type { Plot } from "@/plots/plot";
import { colour, type PlotTheme } from "@/plots/theme";

/** Where a configuration stands among the others; measured: nothing is known of a front. */
export type Place = "front" | "unclear" | "behind" | "violating" | "measured";

export interface TradeOffAxis {
  label: string;
  unit: string;
  /** Which end is good; null: it depends. */
  direction: "minimize" | "maximize" | null;
  /** Limits of SLOs on this figure. */
  limits: readonly { name: string; value: number }[];
}

export interface TradeOffPoint {
  number: number;
  title: string;
  x: number;
  y: number;
  /** Ends of the intervals, where they are known. */
  low: readonly [number, number] | null;
  high: readonly [number, number] | null;
  place: Place;
  /** On the measured front: these are joined by a line. */
  joined: boolean;
  role: "baseline" | "best" | null;
  /** What else is shown beside it. */
  lines: () => readonly string[];
}

export interface TradeOff {
  x: TradeOffAxis;
  y: TradeOffAxis;
  points: readonly TradeOffPoint[];
  /** Of the intervals; null: there are none. */
  confidence: number | null;
  /** What the best one is called. */
  best: string;
}

const WORDS: Record<Place, string> = {
  behind: "behind the front",
  unclear: "cannot be told from the front",
  front: "on the front",
  violating: "violates a hard SLO",
  measured: "measured",
};

/** An axis whose largest value is so many times its smallest one is logarithmic. */
const WIDE = 50;

/** Configurations by two figures, with the front, their uncertainty and the limits of SLOs. */
export function tradeOffPlot(data: TradeOff): Plot {
  const bars = data.points.some((point) => point.low !== null) && data.confidence !== null;
  return {
    name: "trade-off",
    title: `${capital(data.y.label)} against ${data.x.label}`,
    summary: `Each mark is a configuration.${
      bars ? ` Bars are ${Math.round((data.confidence ?? 0) * 100)} % intervals.` : ""
    }${data.x.limits.length + data.y.limits.length > 0 ? " Dashed: limits of SLOs." : ""}`,
    height: 420,
    option: (theme) => option(data, theme),
    table: {
      columns: ["experiment", "place", named(data.x.label, data.x.unit), named(data.y.label, data.y.unit)],
      rows: data.points.map((point) => [point.title, WORDS[point.place], point.x, point.y]),
    },
  };
}

function kind(values: readonly number[]): "value" | "log" {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least > 0 && most > WIDE * least ? "log" : "value";
}

function axisOf(axis: TradeOffAxis, values: readonly number[], theme: PlotTheme, at: "x" | "y") {
  const scale = scaleOf([...values, ...axis.limits.map((limit) => limit.value)], axis.unit);
  const good = axis.direction === null ? "" : axis.direction === "minimize" ? " (less is better)" : " (more is better)";
  return {
    factor: scale.factor,
    shown: {
      ...valueAxis(theme, named(axis.label, scale.unit) + good, at),
      type: values.length ? kind(values) : "value",
    },
  };
}

function option(data: TradeOff, theme: PlotTheme) {
  const x = axisOf(
    data.x,
    data.points.map((point) => point.x),
    theme,
    "x",
  );
  const y = axisOf(
    data.y,
    data.points.map((point) => point.y),
    theme,
    "y",
  );
  const at = (point: { x: number; y: number }) => [point.x * x.factor, point.y * y.factor];
  const marked = (points: readonly TradeOffPoint[]) =>
    points.map((point) => ({
      value: at(point),
      number: point.number,
      lines: () => [
        point.title,
        `${data.x.label}: ${withUnit(point.x, data.x.unit)}`,
        `${data.y.label}: ${withUnit(point.y, data.y.unit)}`,
        ...point.lines(),
      ],
    }));
  const of = (place: Place) => data.points.filter((point) => point.place === place);
  const bars = (place: Place, colourOf: string) => {
    const known = of(place).filter((point) => point.low && point.high);
    return (["x", "y"] as const).map((along, index) => {
      const factor = [x.factor, y.factor][index] ?? 1;
      const rows = known.map((point) => [
        ...at(point),
        (point.low?.[index] ?? 0) * factor,
        (point.high?.[index] ?? 0) * factor,
      ]);
      return errorBars(along, colourOf, rows);
    });
  };
  const joined = data.points.filter((point) => point.joined).sort((a, b) => a.x - b.x);
  const limits = [
    ...data.x.limits.map((limit) => acrossLine(theme, { xAxis: limit.value * x.factor }, limit.name, theme.bad)),
    ...data.y.limits.map((limit) => acrossLine(theme, { yAxis: limit.value * y.factor }, limit.name, theme.bad)),
  ];
  const looks: [Place, object][] = [
    ["behind", { symbol: "circle", symbolSize: 6, itemStyle: { color: theme.lineStrong } }],
    ["measured", { symbol: "circle", symbolSize: 9, itemStyle: { color: colour(theme, 0) } }],
    [
      "unclear",
      {
        symbol: "circle",
        symbolSize: 9,
        itemStyle: { color: theme.surface, borderColor: colour(theme, 1), borderWidth: 2 },
      },
    ],
    ["front", { symbol: "circle", symbolSize: 11, itemStyle: { color: colour(theme, 2) } }],
    ["violating", { symbol: CROSS, symbolSize: 8, itemStyle: { color: theme.bad } }],
  ];
  const role = (which: "baseline" | "best", look: object) => ({
    name: which === "best" ? data.best : which,
    type: "scatter",
    z: 6,
    data: marked(data.points.filter((point) => point.role === which)),
    ...look,
  });
  return {
    ...base(theme),
    dataZoom: [
      { type: "inside", xAxisIndex: 0, zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false, filterMode: "none" },
      { type: "inside", yAxisIndex: 0, zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false, filterMode: "none" },
    ],
    xAxis: x.shown,
    yAxis: y.shown,
    series: [
      // Without a name and data: it only holds the limits.
      { type: "line", data: [], silent: true, markLine: { silent: true, symbol: "none", data: limits } },
      {
        type: "line",
        name: "measured front",
        data: joined.length > 1 ? joined.map(at) : [],
        symbol: "none",
        silent: true,
        lineStyle: { color: theme.lineStrong, width: 1.25, type: "dotted" },
        itemStyle: { color: theme.lineStrong },
      },
      ...bars("behind", theme.line),
      ...bars("unclear", colour(theme, 1)),
      ...bars("front", colour(theme, 2)),
      ...looks.map(([place, look]) => ({ name: WORDS[place], type: "scatter", data: marked(of(place)), ...look })),
      role("baseline", {
        symbol: "rect",
        symbolSize: 14,
        itemStyle: { color: "transparent", borderColor: theme.inkSoft, borderWidth: 2 },
      }),
      role("best", {
        symbol: STAR,
        symbolSize: 18,
        itemStyle: { color: colour(theme, 2), borderColor: theme.surface, borderWidth: 1.5 },
      }),
    ].filter((series) => series.data.length > 0 || ("markLine" in series && limits.length > 0)),
  };
}
