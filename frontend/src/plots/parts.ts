/** Parts that plots have in common. */

import { figure } from "@/format/figures";
import type { PlotTheme } from "@/plots/theme";

/** A path for marks of what failed: two crossed strokes. */
export const CROSS = "path://M0,1.6 L1.6,0 L5,3.4 L8.4,0 L10,1.6 L6.6,5 L10,8.4 L8.4,10 L5,6.6 L1.6,10 L0,8.4 L3.4,5 Z";

/** A star with five points. */
export const STAR = "path://M10,0 L12.9,6.6 L20,7.3 L14.7,12 L16.2,19 L10,15.3 L3.8,19 L5.3,12 L0,7.3 L7.1,6.6 Z";

/** What is shown beside a mark; of many marks it is made when one is pointed at. */
export type Lines = readonly string[] | (() => readonly string[]);

/** What is shown beside something that is pointed at. Text only: nothing in it becomes markup. */
export function tip(given: Lines | undefined): HTMLElement {
  const lines = typeof given === "function" ? given() : (given ?? []);
  const box = document.createElement("div");
  box.className = "max-w-80 text-xs leading-5 whitespace-normal";
  lines.forEach((line, at) => {
    const row = document.createElement("div");
    row.textContent = line;
    if (at === 0) row.className = "font-semibold";
    box.append(row);
  });
  return box;
}

/** A tooltip of single items, whose data carry their `lines`. */
export function itemTooltip(theme: PlotTheme): object {
  return {
    trigger: "item",
    confine: true,
    backgroundColor: theme.surface,
    borderColor: theme.lineStrong,
    borderWidth: 1,
    textStyle: { color: theme.ink, fontFamily: theme.font },
    formatter: (shown: { data?: { lines?: Lines } }) => tip(shown.data?.lines),
  };
}

/** The first letter great, as sentences begin. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The common look: type, legend above, room around. */
export function base(theme: PlotTheme): object {
  return {
    animation: false,
    textStyle: { color: theme.inkSoft, fontFamily: theme.font, fontSize: 12 },
    tooltip: itemTooltip(theme),
    legend: {
      top: 0,
      left: 0,
      type: "scroll",
      itemWidth: 14,
      itemHeight: 10,
      itemGap: 16,
      textStyle: { color: theme.inkSoft, fontFamily: theme.font, fontSize: 12 },
      inactiveColor: theme.lineStrong,
      pageTextStyle: { color: theme.inkSoft },
      pageIconColor: theme.ink,
      pageIconInactiveColor: theme.line,
    },
    grid: { top: 52, left: 8, right: 20, bottom: 34, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
  };
}

/** An axis of numbers. Its name stands at its middle (x) or above it (y). */
export function valueAxis(theme: PlotTheme, name: string, at: "x" | "y"): object {
  return {
    type: "value",
    name,
    ...(at === "x"
      ? { nameLocation: "middle", nameGap: 30 }
      : { nameLocation: "end", nameGap: 10, nameTextStyle: { align: "left", color: theme.inkSoft } }),
    nameTextStyle: {
      color: theme.inkSoft,
      fontFamily: theme.font,
      fontSize: 12,
      ...(at === "y" ? { align: "left" as const } : {}),
    },
    scale: true,
    axisLine: { show: at === "x", lineStyle: { color: theme.lineStrong } },
    axisTick: { show: false },
    axisLabel: { color: theme.inkSoft, hideOverlap: true, formatter: (value: number) => figure(value) },
    splitLine: { lineStyle: { color: theme.line } },
  };
}

/** An axis of words. */
export function wordAxis(theme: PlotTheme, words: readonly string[], name?: string): object {
  return {
    type: "category",
    data: words,
    ...(name && { name, nameLocation: "middle", nameGap: 30, nameTextStyle: { color: theme.inkSoft } }),
    axisLine: { lineStyle: { color: theme.lineStrong } },
    axisTick: { show: false },
    axisLabel: { color: theme.inkSoft, hideOverlap: true, width: 150, overflow: "truncate" },
  };
}

/** A dashed line across a plot with its name, for limits and the baseline. */
export function acrossLine(
  theme: PlotTheme,
  at: { xAxis: number } | { yAxis: number },
  name: string,
  colour: string,
): object {
  return {
    ...at,
    name,
    lineStyle: { color: colour, type: "dashed", width: 1.5 },
    label: {
      formatter: name,
      position: "yAxis" in at ? "insideEndTop" : "insideStartTop",
      color: colour,
      fontFamily: theme.font,
      fontSize: 11,
    },
  };
}

interface Drawing {
  value: (dimension: number) => number;
  coord: (point: readonly number[]) => number[];
  style: (extra?: object) => object;
}

interface Bars {
  data: readonly (readonly number[])[];
  [option: string]: unknown;
}

/** Bars of uncertainty as a custom series. `along`: which axis they lie on. Data: [x, y, low, high]. */
export function errorBars(along: "x" | "y", colour: string, rows: readonly (readonly number[])[]): Bars {
  return {
    type: "custom",
    silent: true,
    z: 1,
    data: rows,
    clip: true,
    encode: along === "x" ? { x: [0, 2, 3], y: 1 } : { x: 0, y: [1, 2, 3] },
    renderItem: (_: unknown, api: Drawing) => {
      const [x, y, low, high] = [api.value(0), api.value(1), api.value(2), api.value(3)];
      const from = api.coord(along === "x" ? [low, y] : [x, low]);
      const to = api.coord(along === "x" ? [high, y] : [x, high]);
      const cap = 4;
      const stroke = { stroke: colour, lineWidth: 1.25 };
      const [fx = 0, fy = 0, tx = 0, ty = 0] = [from[0], from[1], to[0], to[1]];
      const line = (x1: number, y1: number, x2: number, y2: number) => ({
        type: "line",
        shape: { x1, y1, x2, y2 },
        style: stroke,
      });
      const [dx, dy] = along === "x" ? [0, cap] : [cap, 0];
      return {
        type: "group",
        children: [
          line(fx, fy, tx, ty),
          line(fx - dx, fy - dy, fx + dx, fy + dy),
          line(tx - dx, ty - dy, tx + dx, ty + dy),
        ],
      };
    },
  };
}
