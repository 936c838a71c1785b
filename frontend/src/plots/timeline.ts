import { duration } from "@/format/figures";
import { base, valueAxis, wordAxis } from "@/plots/parts";
import type { Plot } from "@/plots/plot";
import { colour, type PlotTheme } from "@/plots/theme";

export interface TimelineRow {
  number: number;
  title: string;
  /** Seconds by name of the phase. */
  seconds: Readonly<Record<string, number>>;
}

/** Rows that fit without a slider. */
const SHOWN = 40;

/** Where the time of each experiment went. */
export function timelinePlot(rows: readonly TimelineRow[], phases: readonly string[]): Plot {
  const used = phases.filter((phase) => rows.some((row) => row.seconds[phase]));
  return {
    name: "timeline",
    title: "Time by phase",
    summary: "Seconds of each experiment's first start that ended well, by phase.",
    height: 104 + 20 * Math.min(Math.max(rows.length, 3), SHOWN),
    option: (theme) => option(rows, used, theme),
    table: {
      columns: ["experiment", ...used.map((phase) => `${words(phase)}, s`), "all, s"],
      rows: rows.map((row) => [row.title, ...used.map((phase) => row.seconds[phase] ?? 0), total(row)]),
    },
  };
}

const words = (phase: string) => phase.replaceAll("_", " ");
const total = (row: TimelineRow) => Object.values(row.seconds).reduce((sum, seconds) => sum + seconds, 0);

function option(rows: readonly TimelineRow[], phases: readonly string[], theme: PlotTheme) {
  const long = rows.length > SHOWN;
  return {
    ...base(theme),
    grid: {
      top: 40,
      left: 8,
      right: long ? 40 : 20,
      bottom: 34,
      outerBoundsMode: "same",
      outerBoundsContain: "axisLabel",
    },
    dataZoom: long
      ? [
          {
            type: "inside",
            yAxisIndex: 0,
            startValue: 0,
            endValue: SHOWN - 1,
            zoomOnMouseWheel: "ctrl",
            moveOnMouseWheel: false,
          },
          {
            type: "slider",
            yAxisIndex: 0,
            startValue: 0,
            endValue: SHOWN - 1,
            width: 12,
            right: 8,
            showDetail: false,
            brushSelect: false,
            borderColor: theme.line,
            fillerColor: theme.sunken,
            handleStyle: { color: theme.lineStrong },
          },
        ]
      : [],
    xAxis: { ...valueAxis(theme, "seconds", "x"), scale: false, min: 0 },
    yAxis: {
      ...wordAxis(
        theme,
        rows.map((row) => row.title),
      ),
      inverse: true,
    },
    series: phases.map((phase, index) => ({
      name: words(phase),
      type: "bar",
      stack: "time",
      barWidth: "70%",
      itemStyle: { color: colour(theme, index), borderColor: theme.surface, borderWidth: 0.5 },
      data: rows.map((row) => ({
        value: row.seconds[phase] ?? 0,
        number: row.number,
        lines: [row.title, `${words(phase)}: ${duration(row.seconds[phase] ?? 0)}`, `all: ${duration(total(row))}`],
      })),
    })),
  };
}
