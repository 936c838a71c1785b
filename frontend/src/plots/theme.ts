/** The colours of the page as plots use them. */
export interface PlotTheme {
  ink: string;
  inkSoft: string;
  line: string;
  lineStrong: string;
  surface: string;
  sunken: string;
  accent: string;
  good: string;
  warn: string;
  bad: string;
  /** Told apart by people who see few colours; a plot gives each a mark of its own too. */
  series: readonly string[];
  /** Ends of the scale of scores. */
  low: string;
  high: string;
  font: string;
}

export const SERIES = 7;

/** The theme that the page shows now. */
export function shownTheme(): PlotTheme {
  const style = getComputedStyle(document.documentElement);
  const role = (name: string) => sixDigits(style.getPropertyValue(`--${name}`).trim()) || "#888888";
  return {
    ink: role("ink"),
    inkSoft: role("ink-soft"),
    line: role("line"),
    lineStrong: role("line-strong"),
    surface: role("surface"),
    sunken: role("sunken"),
    accent: role("accent"),
    good: role("good"),
    warn: role("warn"),
    bad: role("bad"),
    series: Array.from({ length: SERIES }, (_, index) => role(`plot-${index + 1}`)),
    low: role("plot-low"),
    high: role("plot-high"),
    font: getComputedStyle(document.body).fontFamily,
  };
}

/** #abc is #aabbcc: builds shorten colours where they can. */
export function sixDigits(text: string): string {
  return /^#[0-9a-f]{3}$/i.test(text) ? text.replace(/[0-9a-f]/gi, (digit) => digit + digit) : text;
}

/** Marks in the order of the series. */
export const MARKS = ["circle", "diamond", "triangle", "rect", "roundRect", "pin", "arrow"] as const;

export const colour = (theme: PlotTheme, index: number): string =>
  theme.series[index % theme.series.length] ?? theme.accent;

export const mark = (index: number): string => MARKS[index % MARKS.length] ?? "circle";

/** Between two colours (#rrggbb), share 0 to 1. */
export function between(low: string, high: string, share: number): string {
  const at = (text: string, place: number) => Number.parseInt(text.slice(1 + 2 * place, 3 + 2 * place), 16);
  const part = Math.min(1, Math.max(0, share));
  const mixed = [0, 1, 2].map((place) => Math.round(at(low, place) + (at(high, place) - at(low, place)) * part));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** The same colour, let through: share 0 to 1 (#rrggbb becomes #rrggbbaa). */
export function faded(colourOf: string, share: number): string {
  return (
    colourOf +
    Math.round(share * 255)
      .toString(16)
      .padStart(2, "0")
  );
}
