import type { EChartsCoreOption } from "echarts/core";
import type { Table } from "@/format/csv";
import type { PlotTheme } from "@/plots/theme";

/** A figure: plain data in, what is drawn and what is read out. It knows no API and no React. */
export interface Plot {
  /** Name of the files it is saved as. */
  name: string;
  title: string;
  /** What is seen, in a sentence: below the title, and told to screen readers. */
  summary: string;
  /** Pixels. */
  height: number;
  /** What is drawn, in the colours of the theme. */
  option: (theme: PlotTheme) => EChartsCoreOption;
  /** The same as a table: for screen readers, and to be saved. */
  table: Table;
}

/** Something of a plot that stands for an experiment carries its number. */
export interface Marked {
  number: number;
}
