import { percent } from "@/format/units";
import { base, errorBars, valueAxis, wordAxis } from "@/plots/parts";
import type { Plot } from "@/plots/plot";
import { colour } from "@/plots/theme";

export interface ImportanceBar {
  label: string;
  share: number;
  /** Standard error of the share. */
  spread: number;
  /** Told from nothing. */
  seen: boolean;
}

/** How much of the differences between scores each parameter explains. */
export function importancePlot(bars: readonly ImportanceBar[], summary: string): Plot {
  return {
    name: "importance",
    title: "Importance of the parameters",
    summary: `${summary} Bars: one standard error.`,
    height: 76 + 34 * bars.length,
    option: (theme) => ({
      ...base(theme),
      legend: { show: false },
      grid: { top: 8, left: 8, right: 60, bottom: 34, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      xAxis: { ...valueAxis(theme, "share of the importance, %", "x"), scale: false, min: 0, max: 100 },
      yAxis: {
        ...wordAxis(
          theme,
          bars.map((bar) => bar.label),
        ),
        inverse: true,
      },
      series: [
        {
          type: "bar",
          barWidth: 14,
          data: bars.map((bar) => ({
            value: bar.share * 100,
            lines: [
              bar.label,
              `${percent(bar.share)} ± ${percent(bar.spread)}`,
              ...(bar.seen ? [] : ["not told from nothing"]),
            ],
            itemStyle: bar.seen
              ? { color: colour(theme, 0) }
              : { color: theme.sunken, borderColor: theme.lineStrong, borderWidth: 1, borderType: "dashed" },
          })),
        },
        errorBars(
          "x",
          theme.ink,
          bars.map((bar, at) => [
            bar.share * 100,
            at,
            Math.max(0, bar.share - bar.spread) * 100,
            Math.min(1, bar.share + bar.spread) * 100,
          ]),
        ),
      ],
    }),
    table: {
      columns: ["parameter", "share", "standard error", "told from nothing"],
      rows: bars.map((bar) => [bar.label, bar.share, bar.spread, bar.seen ? "yes" : "no"]),
    },
  };
}
