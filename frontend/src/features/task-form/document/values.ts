import { parse, stringify } from "yaml";
import { isMapping } from "@/features/task-form/document/path";

/** How a parameter is given: one value, several that are searched, or a range. */
export type Mode = "fixed" | "values" | "range";

export function modeOf(value: unknown): Mode {
  if (Array.isArray(value)) return "values";
  if (!isMapping(value)) return "fixed";
  return "values" in value ? "values" : "range";
}

/** A value as people type it: lists without brackets. */
export function shown(value: unknown): string {
  if (value === undefined) return "";
  if (Array.isArray(value)) return value.map((one) => inline(one)).join(", ");
  return inline(value);
}

function inline(value: unknown): string {
  return stringify(value, { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: false }).trim();
}

/** What was typed, as YAML reads it; undefined: nothing was. */
export function typed(text: string): unknown {
  if (!text.trim()) return undefined;
  try {
    return parse(text);
  } catch {
    return text;
  }
}

/** A list typed without brackets; undefined: nothing was. */
export function typedList(text: string): unknown[] | undefined {
  const bare = text.trim().replace(/,\s*$/, "");
  if (!bare) return undefined;
  const found = typed(bare.startsWith("[") ? bare : `[${bare}]`);
  return Array.isArray(found) ? found : bare.split(",").map((part) => part.trim());
}
