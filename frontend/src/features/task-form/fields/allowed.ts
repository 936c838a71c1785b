import type { Schema } from "@/api/client";
import type { Allowed } from "@/features/task-form/fields/searched-input";

/** What a catalogue knows of a parameter's values. */
export const allowedOf = (parameter: Schema<"CatalogueParameter">): Allowed => ({
  type: parameter.type,
  choices: parameter.type === "bool" ? [false, true] : (parameter.choices ?? []),
  suggested: parameter.commonly_tuned ?? [],
  low: parameter.low ?? null,
  high: parameter.high ?? null,
  default: parameter.default ?? undefined,
});

/** Names are one if they differ in case and in the kind of dash only. */
export const bareName = (name: string): string => name.toLowerCase().replace(/^-+/, "").replaceAll("-", "_");

/** The parameter of a name or another accepted name. */
export function parameterNamed(
  parameters: readonly Schema<"CatalogueParameter">[],
  name: string,
): Schema<"CatalogueParameter"> | null {
  const bare = bareName(name);
  const spellings = (one: Schema<"CatalogueParameter">) => [one.name, one.flag ?? "", ...(one.aliases ?? [])];
  return (
    parameters.find((one) => one.name === name) ??
    parameters.find((one) => spellings(one).some((spelling) => bareName(spelling) === bare)) ??
    null
  );
}

/** Its type, range, unit and default, in one line. */
export function factsOf(parameter: Schema<"CatalogueParameter">): string {
  const range =
    parameter.low != null && parameter.high != null
      ? `${parameter.low} to ${parameter.high}`
      : parameter.low != null
        ? `at least ${parameter.low}`
        : parameter.high != null
          ? `at most ${parameter.high}`
          : "";
  const fallback = parameter.default == null ? "the engine decides by default" : `default ${String(parameter.default)}`;
  return [parameter.type, range, parameter.unit, fallback].filter(Boolean).join(" · ");
}
