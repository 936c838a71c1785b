import { figure } from "@/format/figures";

/** By what figures are multiplied before they are shown, and the unit they have then. */
export interface Scale {
  factor: number;
  unit: string;
}

/** Seconds become milliseconds where all are below one, shares become per cent, bytes become GiB. */
export function scaleOf(values: readonly (number | null | undefined)[], unit: string): Scale {
  if (unit === "share") return { factor: 100, unit: "%" };
  if (unit === "bytes") return { factor: 1 / 2 ** 30, unit: "GiB" };
  if (unit !== "s") return { factor: 1, unit };
  let most = 0;
  for (const value of values) if (typeof value === "number") most = Math.max(most, Math.abs(value));
  return most > 0 && most < 1 ? { factor: 1000, unit: "ms" } : { factor: 1, unit };
}

/** A figure with its unit: 0.0042 s is 4.2 ms. */
export function withUnit(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const scale = scaleOf([value], unit);
  return `${figure(value * scale.factor)} ${scale.unit}`.trimEnd();
}

/** The name of an axis or a column with its unit, unless the name has it already: `TTFT, ms`, `total tokens/s`. */
export function named(label: string, unit: string): string {
  return !unit || label.split(/[\s,]+/).includes(unit) ? label : `${label}, ${unit}`;
}

/** A share as per cent without a sign. */
export function percent(share: number | null | undefined, digits = 1): string {
  return share === null || share === undefined || !Number.isFinite(share) ? "–" : `${(share * 100).toFixed(digits)} %`;
}
