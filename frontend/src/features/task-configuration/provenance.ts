import type { Schema } from "@/api/client";

export type ConfiguredValue = Schema<"ConfiguredValue">;

/** Where a value comes from, for people. */
export interface Origin {
  kind: "document" | "default" | "profile" | "preset" | "other";
  text: string;
}

/** What a layer is called: profile:balanced:balanced-params is the profile balanced. */
export function originOf(value: Pick<ConfiguredValue, "layer" | "presets">): Origin {
  const { layer, presets } = value;
  if (layer === "document") return { kind: "document", text: "Document" };
  if (layer === "default") return { kind: "default", text: "Default" };
  if (presets.length > 0) {
    const named = presets.map(({ slug, revision }) => (revision == null ? slug : `${slug}, revision ${revision}`));
    return { kind: "preset", text: `Preset ${named.join(" + ")}` };
  }
  const [kind, name] = layer.split(":");
  if (kind === "profile") return { kind, text: `Profile ${name}` };
  if (kind === "preset") return { kind, text: `Preset ${name?.replaceAll("+", " + ")}` };
  return { kind: "other", text: layer.replaceAll("_", " ") };
}

/** A group of values below a section's blocks: `benchmark.additional_params.temperature` is of `additional_params`. */
export interface Group {
  /** Empty: of the block itself. */
  name: string;
  values: readonly { label: string; value: ConfiguredValue }[];
}

/** The values of a section by what they belong to, in their order; with several blocks, by block. */
export function grouped(values: readonly ConfiguredValue[]): Group[] {
  const blocks = new Set(values.filter(({ place }) => place.includes(".")).map(({ place }) => place.split(".")[0]));
  const groups = new Map<string, { label: string; value: ConfiguredValue }[]>();
  for (const value of values) {
    const keys = value.place.split(".");
    const inside = keys.length === 1 ? keys : keys.slice(blocks.size > 1 ? 0 : 1);
    const name = inside.slice(0, -1).join(".");
    const label = inside.at(-1) ?? value.place;
    const group = groups.get(name);
    if (group) group.push({ label, value });
    else groups.set(name, [{ label, value }]);
  }
  return [...groups].map(([name, found]) => ({ name, values: found }));
}

/** A value as a document would have it, in one line. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "string") return value === "" ? '""' : value;
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(valueText).join(", ");
  if (typeof value === "object") {
    const { type, low, high, step, log } = value as Record<string, unknown>;
    if (typeof low === "number" && typeof high === "number") {
      const how = [
        type === "int" ? "whole numbers" : "",
        typeof step === "number" ? `step ${step}` : "",
        log === true ? "by ratio" : "",
      ];
      return [`${low} to ${high}`, ...how.filter(Boolean)].join(", ");
    }
    return Object.entries(value)
      .map(([key, inner]) => `${key}: ${valueText(inner)}`)
      .join(", ");
  }
  return String(value);
}
