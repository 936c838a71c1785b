import { scaleOf, withUnit } from "@/format/units";
import { base, capital, errorBars, STAR, valueAxis, wordAxis } from "@/plots/parts";
import type { Plot } from "@/plots/plot";
import { colour } from "@/plots/theme";

export interface SlicePoint {
  value: string;
  measured: number | null;
  /** Number of the experiment that measured it. */
  number: number | null;
  modelled: number | null;
  low: number | null;
  high: number | null;
}

export interface SliceOf {
  parameter: string;
  best: string;
  label: string;
  unit: string;
  points: readonly SlicePoint[];
}

/** The score by one parameter, the others as in the best configuration. */
export function slicePlot(data: SliceOf): Plot {
  const scale = scaleOf(
    data.points.flatMap((point) => [point.measured, point.modelled]),
    data.unit,
  );
  const modelled = data.points.flatMap((point, at) =>
    point.modelled === null || point.low === null || point.high === null
      ? []
      : [{ at, value: point.value, middle: point.modelled, low: point.low, high: point.high }],
  );
  const measured = data.points.filter((point) => point.measured !== null);
  return {
    name: `slice-${data.parameter}`,
    title: data.parameter,
    summary: `${capital(data.label)} by ${data.parameter} alone.${modelled.length ? " Bars: what a model expects of one start, 95 %." : ""}`,
    height: 280,
    option: (theme) => ({
      ...base(theme),
      xAxis: wordAxis(
        theme,
        data.points.map((point) => point.value),
        data.parameter,
      ),
      yAxis: valueAxis(theme, scale.unit || data.label, "y"),
      series: [
        {
          name: "expected by the model",
          type: "line",
          symbol: "emptyCircle",
          symbolSize: 6,
          connectNulls: true,
          lineStyle: { color: colour(theme, 1), type: "dashed", width: 1.5 },
          itemStyle: { color: colour(theme, 1) },
          data: modelled.map((point) => ({
            value: [point.at, point.middle * scale.factor],
            lines: [
              `${data.parameter} ${point.value}`,
              `expected ${withUnit(point.middle, data.unit)}`,
              `from ${withUnit(point.low, data.unit)} to ${withUnit(point.high, data.unit)}`,
            ],
          })),
        },
        errorBars(
          "y",
          colour(theme, 1),
          modelled.map((point) => [
            point.at,
            point.middle * scale.factor,
            point.low * scale.factor,
            point.high * scale.factor,
          ]),
        ),
        {
          name: "measured",
          type: "scatter",
          z: 5,
          itemStyle: { color: colour(theme, 0) },
          data: measured.map((point) => ({
            value: [data.points.indexOf(point), (point.measured ?? 0) * scale.factor],
            ...(point.number !== null && { number: point.number }),
            symbol: point.value === data.best ? STAR : "circle",
            symbolSize: point.value === data.best ? 16 : 10,
            itemStyle: { color: point.value === data.best ? colour(theme, 2) : colour(theme, 0) },
            lines: [
              `${data.parameter} ${point.value}`,
              `measured ${withUnit(point.measured, data.unit)}`,
              ...(point.number === null ? [] : [`experiment #${point.number}`]),
            ],
          })),
        },
      ].filter((series) => series.data.length > 0),
    }),
    table: {
      columns: [data.parameter, `measured, ${data.unit}`, "experiment", `expected, ${data.unit}`, "from", "to"],
      rows: data.points.map((p) => [p.value, p.measured, p.number, p.modelled, p.low, p.high]),
    },
  };
}
