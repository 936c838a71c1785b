import { named, scaleOf, withUnit } from "@/format/units";
import { acrossLine, base, CROSS, capital, STAR, valueAxis } from "@/plots/parts";
import type { Plot } from "@/plots/plot";
import { colour, type PlotTheme } from "@/plots/theme";

export interface HistoryPoint {
  number: number;
  title: string;
  /** Natural units; null: it has no figures. */
  score: number | null;
  state: "eligible" | "violating" | "failed";
  /** What else is shown beside it. */
  lines: () => readonly string[];
}

export interface History {
  label: string;
  unit: string;
  direction: "minimize" | "maximize";
  points: readonly HistoryPoint[];
  baseline: number | null;
  /** Number of the best one, and what it is called. */
  best: { number: number; name: string } | null;
}

/** More marks than this are drawn without an outline and in one go. */
const MANY = 2000;

/** Scores in the order of the experiments, and the best so far. */
export function historyPlot(data: History): Plot {
  const scale = scaleOf(
    data.points.map((point) => point.score),
    data.unit,
  );
  return {
    name: "history",
    title: "History",
    summary: `${capital(data.label)} of each experiment in its order${
      data.points.some((point) => point.state === "eligible") ? "; the line is the best so far" : ""
    }${data.baseline === null ? "" : ", dashed: the baseline"}.`,
    height: 420,
    option: (theme) => option(data, scale.factor, named(data.label, scale.unit), theme),
    table: {
      columns: ["experiment", "state", named(data.label, data.unit), "best so far"],
      rows: withBest(data).map(({ point, best }) => [point.title, STATES[point.state], point.score, best]),
    },
  };
}

const STATES = { eligible: "keeps the hard SLOs", violating: "violates a hard SLO", failed: "failed" } as const;

/** Each experiment with the best score of an eligible one up to it. */
export function withBest(data: History): { point: HistoryPoint; best: number | null }[] {
  let best: number | null = null;
  const better = data.direction === "maximize" ? Math.max : Math.min;
  return data.points.map((point) => {
    if (point.state === "eligible" && point.score !== null) {
      best = best === null ? point.score : better(best, point.score);
    }
    return { point, best };
  });
}

function option(data: History, factor: number, axis: string, theme: PlotTheme) {
  const many = data.points.length > MANY;
  const marks = (state: HistoryPoint["state"]) =>
    data.points
      .filter((point) => point.state === state && point.score !== null)
      .map((point) => ({
        value: [point.number, (point.score ?? 0) * factor],
        number: point.number,
        lines: () => [point.title, withUnit(point.score, data.unit), ...point.lines()],
      }));
  const failed = data.points
    .filter((point) => point.score === null && point.state === "failed")
    .map((point) => ({ value: [point.number, 0], number: point.number, lines: () => [point.title, ...point.lines()] }));
  const chosen = data.points.find((point) => point.number === data.best?.number && point.score !== null);
  const best = withBest(data).flatMap(({ point, best: value }) =>
    value === null ? [] : [[point.number, value * factor]],
  );
  return {
    ...base(theme),
    dataZoom: [
      { type: "inside", xAxisIndex: [0, 1], zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false },
      { type: "inside", yAxisIndex: 0, zoomOnMouseWheel: "shift", moveOnMouseWheel: false, moveOnMouseMove: false },
    ],
    xAxis: [
      {
        ...valueAxis(theme, "experiment", "x"),
        min: "dataMin",
        max: "dataMax",
        minInterval: 1,
        splitLine: { show: false },
      },
    ],
    yAxis: [valueAxis(theme, axis, "y"), { type: "value", min: 0, max: 20, show: false }],
    series: [
      // Without a name and data: it only holds the baseline.
      {
        type: "line",
        data: [],
        silent: true,
        markLine: {
          silent: true,
          symbol: "none",
          data:
            data.baseline === null
              ? []
              : [acrossLine(theme, { yAxis: data.baseline * factor }, "baseline", theme.inkSoft)],
        },
      },
      {
        name: "best so far",
        type: "line",
        step: "end",
        data: best,
        symbol: "none",
        silent: true,
        lineStyle: { color: colour(theme, 2), width: 2 },
        itemStyle: { color: colour(theme, 2) },
      },
      {
        name: STATES.eligible,
        type: "scatter",
        data: marks("eligible"),
        symbol: "circle",
        symbolSize: many ? 5 : 9,
        progressive: 2000,
        itemStyle: {
          color: colour(theme, 0),
          ...(many ? { opacity: 0.6 } : { borderColor: theme.surface, borderWidth: 1 }),
        },
      },
      {
        name: STATES.violating,
        type: "scatter",
        data: marks("violating"),
        symbol: "diamond",
        symbolSize: many ? 6 : 11,
        progressive: 2000,
        itemStyle: { color: many ? colour(theme, 1) : theme.surface, borderColor: colour(theme, 1), borderWidth: 1.75 },
      },
      {
        name: STATES.failed,
        type: "scatter",
        yAxisIndex: 1,
        data: failed.map((point) => ({ ...point, value: [point.value[0], 0.6] })),
        symbol: CROSS,
        symbolSize: 9,
        itemStyle: { color: theme.bad },
      },
      {
        name: data.best?.name ?? "best",
        type: "scatter",
        z: 5,
        data: chosen
          ? [
              {
                value: [chosen.number, (chosen.score ?? 0) * factor],
                number: chosen.number,
                lines: [`${data.best?.name} ${chosen.title}`, withUnit(chosen.score, data.unit), ...chosen.lines()],
              },
            ]
          : [],
        symbol: STAR,
        symbolSize: 18,
        itemStyle: { color: colour(theme, 2), borderColor: theme.surface, borderWidth: 1.5 },
      },
    ].filter((series) => series.data.length > 0 || "markLine" in series),
  };
}
