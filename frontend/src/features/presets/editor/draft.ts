import { parse, stringify } from "yaml";
import type { Preset, PresetFields } from "@/api/presets";
import { shown } from "@/features/task-form/document/values";

export interface ParameterRow {
  /** Of the row, not of the preset. */
  id: number;
  name: string;
  /** As it is typed: values with commas between them. */
  values: string;
}

/** A preset as it is being edited. */
export interface PresetDraft {
  name: string;
  description: string;
  category: string;
  runtime: string;
  author: string;
  /** Words with commas between them. */
  tags: string;
  recommendedFor: string;
  rows: ParameterRow[];
  /** What is rarely changed, as YAML: config, rules, requires. */
  more: string;
  visibility: Preset["visibility"] | undefined;
  /** Keys of the metadata that have no field here. */
  metadata: Record<string, unknown>;
}

const FURTHER = ["config", "rules", "requires"] as const;

/** What is wrong, by field: `name`, `more`, or `row <id>`. */
export type DraftProblems = Record<string, string>;

export function draftOf(preset: Preset | null): PresetDraft {
  const { author, tags, recommended_for, ...metadata } = preset?.metadata ?? {};
  const further = Object.fromEntries(
    FURTHER.flatMap((key) => {
      const value = key === "rules" ? preset?.rules.map(withoutNull) : preset?.[key];
      return value === undefined || Object.keys(value).length === 0 ? [] : [[key, value]];
    }),
  );
  return {
    name: preset?.name ?? "",
    description: preset?.description ?? "",
    category: preset?.category ?? "custom",
    runtime: preset?.runtime ?? "any",
    author: author ?? "",
    tags: (tags ?? []).join(", "),
    recommendedFor: (recommended_for ?? []).join(", "),
    rows: Object.entries(preset?.parameters ?? {}).map(([name, values], id) => ({ id, name, values: shown(values) })),
    more: Object.keys(further).length === 0 ? "" : stringify(further),
    visibility: preset?.visibility,
    metadata,
  };
}

/** What is sent of a draft, or what is wrong with it. The service judges the rest. */
export function bodyOf(draft: PresetDraft): { body: PresetFields } | { problems: DraftProblems } {
  const problems: DraftProblems = {};
  if (!draft.name.trim()) problems.name = "A preset needs a name";
  const parameters: NonNullable<PresetFields["parameters"]> = {};
  for (const { id, name, values } of draft.rows) {
    const key = name.trim();
    if (!key && !values.trim()) continue;
    const list = listOf(values);
    if (!key) problems[`row ${id}`] = "Name the parameter";
    else if (key in parameters) problems[`row ${id}`] = `${key} is there already`;
    else if (typeof list === "string") problems[`row ${id}`] = list;
    else if (list.length === 0) problems[`row ${id}`] = "Give at least one value";
    else if (!list.every(isScalar)) problems[`row ${id}`] = "Each value is a number, a word, true or false";
    else parameters[key] = list;
  }
  const further = furtherOf(draft.more);
  if (typeof further === "string") problems.more = further;
  if (Object.keys(problems).length > 0 || typeof further === "string") return { problems };
  return {
    body: {
      ...further,
      name: draft.name.trim(),
      description: draft.description,
      category: draft.category.trim() || "custom",
      runtime: draft.runtime,
      parameters,
      metadata: {
        ...draft.metadata,
        ...(draft.author.trim() && { author: draft.author.trim() }),
        tags: wordsOf(draft.tags),
        recommended_for: wordsOf(draft.recommendedFor),
      },
      ...(draft.visibility && { visibility: draft.visibility }),
    },
  };
}

/** The values of a text, as YAML reads them with commas between; a sentence when it cannot. */
function listOf(text: string): unknown[] | string {
  const bare = text.trim().replace(/,\s*$/, "");
  try {
    const found: unknown = parse(`[${bare}]`);
    return Array.isArray(found) ? found : "Give values with commas between them";
  } catch {
    return "Give values with commas between them, words with signs in quotation marks";
  }
}

/** The further keys of a text; a sentence when it says something else. */
function furtherOf(text: string): Pick<PresetFields, "config" | "rules" | "requires"> | string {
  if (!text.trim()) return {};
  let given: unknown;
  try {
    given = parse(text);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (typeof given !== "object" || given === null || Array.isArray(given))
    return `Give ${FURTHER.join(", ")}, as a mapping`;
  const unknown = Object.keys(given).find((key) => !(FURTHER as readonly string[]).includes(key));
  return unknown === undefined ? given : `${unknown} does not belong here: there are ${FURTHER.join(", ")}`;
}

function withoutNull(rule: Preset["rules"][number]): object {
  return Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== null));
}

function wordsOf(text: string): string[] {
  return [...new Set(text.split(",").map((word) => word.trim()))].filter(Boolean);
}

const isScalar = (value: unknown): value is string | number | boolean | null =>
  value === null || ["string", "number", "boolean"].includes(typeof value);
