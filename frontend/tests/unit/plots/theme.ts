import type { PlotTheme } from "@/plots/theme";

/** Colours for tests of what is drawn. */
export const theme: PlotTheme = {
  ink: "#000000",
  inkSoft: "#444444",
  line: "#dddddd",
  lineStrong: "#888888",
  surface: "#ffffff",
  sunken: "#eeeeee",
  accent: "#0b5f78",
  good: "#116a44",
  warn: "#7d5200",
  bad: "#a32a20",
  series: ["#0b6fa4", "#c2570c", "#0f8a63"],
  low: "#000000",
  high: "#ffffff",
  font: "sans-serif",
};
