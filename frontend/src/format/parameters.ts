import { figure } from "@/format/figures";

/** A value of a parameter, as the API has it. */
export type Scalar = string | number | boolean | null;

const PREFIXED = /^__(\w+?)__(.+)$/;

/** `__model__file` is shown as `model.file`. */
export function parameterName(name: string): string {
  const found = PREFIXED.exec(name);
  return found ? `${found[1]}.${found[2]}` : name;
}

/** The value in words. A file is shown by its name, without its folders. */
export function parameterValue(value: unknown): string {
  if (value === null || value === undefined) return "engine's choice";
  if (value === "") return '""';
  if (typeof value === "string") {
    return /^([/~]|\.{1,2}\/)/.test(value) ? value.slice(value.replace(/\/+$/, "").lastIndexOf("/") + 1) : value;
  }
  if (typeof value === "number" && !Number.isInteger(value)) return figure(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** `a=1, b=2`. */
export function parametersText(parameters: Readonly<Record<string, unknown>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${parameterName(name)}=${parameterValue(value)}`)
    .join(", ");
}
