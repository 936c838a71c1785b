import { isMapping, type Path } from "@/features/task-form/document/path";

/** A JSON Schema, as far as the document's own uses it. */
export interface JsonSchema {
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  examples?: unknown[];
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: boolean | JsonSchema;
  required?: string[];
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
}

/** Kinds of input that a field is edited with. `searched`: one value, several, or a range. */
export type Kind = "text" | "number" | "switch" | "choice" | "list" | "block" | "searched" | "free";

/** What is known of a field. */
export interface KnownField {
  kind: Kind;
  /** The key as people read it. */
  label: string;
  description: string;
  /** Undefined: there is none, or null. */
  default: unknown;
  choices: readonly string[];
  whole: boolean;
  /** Of a list: one value may stand without it. */
  single: boolean;
  examples: readonly unknown[];
  required: boolean;
}

/** Follows references to the end; what stands beside a reference is kept. */
export function resolved(root: JsonSchema, schema: JsonSchema): JsonSchema {
  let found = schema;
  for (let depth = 0; found.$ref && depth < 20; depth += 1) {
    const name = found.$ref.split("/").at(-1) ?? "";
    const { $ref: _, ...beside } = found;
    found = { ...root.$defs?.[name], ...beside };
  }
  return found;
}

/** The alternatives of a schema without null. */
export function branches(root: JsonSchema, schema: JsonSchema): JsonSchema[] {
  const found = resolved(root, schema);
  const all = found.anyOf ? found.anyOf.flatMap((one) => branches(root, one)) : [found];
  return all.filter((one) => one.type !== "null");
}

/** The schema at a place; null: the document has no such place. */
export function schemaAt(root: JsonSchema, path: Path): JsonSchema | null {
  let schemas = [root];
  for (const key of path) {
    schemas = schemas.flatMap((one) => branches(root, one)).flatMap((one) => inside(one, key));
    if (!schemas.length) return null;
  }
  return schemas[0] ?? null;
}

function inside(schema: JsonSchema, key: string | number): JsonSchema[] {
  if (schema.items && typeof key === "number") return [schema.items];
  const own = schema.properties?.[String(key)];
  if (own) return [own];
  return isMapping(schema.additionalProperties) ? [schema.additionalProperties as JsonSchema] : [];
}

/** The keys that a mapping at a place may have, with their schemas; of all its alternatives. */
export function keysAt(root: JsonSchema, path: Path): Map<string, JsonSchema> {
  const schema = schemaAt(root, path);
  const found = new Map<string, JsonSchema>();
  for (const branch of schema ? branches(root, schema) : []) {
    for (const [key, inner] of Object.entries(branch.properties ?? {})) {
      if (!found.has(key)) found.set(key, inner);
    }
  }
  return found;
}

const typesOf = (schema: JsonSchema): string[] => [schema.type ?? []].flat();

export function fieldAt(root: JsonSchema, path: Path): KnownField | null {
  const schema = schemaAt(root, path);
  if (!schema) return null;
  const found = branches(root, schema);
  const choices = choicesOf(found);
  const whole = resolved(root, schema);
  const holder = schemaAt(root, path.slice(0, -1));
  const name = String(path.at(-1) ?? "");
  return {
    kind: kindOf(found, choices),
    label: labelOf(name),
    description: whole.description ?? "",
    default: whole.default ?? undefined,
    choices,
    whole: !found.some((one) => typesOf(one).includes("number")),
    single: found.some((one) => typesOf(one).some((type) => ["string", "number", "integer"].includes(type))),
    examples: whole.examples ?? [],
    required: !!holder && branches(root, holder).some((one) => one.required?.includes(name)),
  };
}

/** Words that are said letter by letter; so are short ones without a vowel. */
const LETTERS = new Set(["api", "ep", "gpu", "id", "moe", "pcie", "slo", "tpot", "ttft", "url"]);

/** A key for people: max_iterations → Max iterations, memory_per_gpu → Memory per GPU. */
export function labelOf(key: string): string {
  const words = key.replaceAll(/[_-]+/g, " ").trim().split(" ");
  const read = words.map((word) =>
    LETTERS.has(word) || /^[bcdfghjklmnpqrstvwxz]{2,3}$/.test(word) ? word.toUpperCase() : word,
  );
  const text = read.join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function choicesOf(found: readonly JsonSchema[]): string[] {
  const named = found.flatMap((one) => one.enum ?? (one.const === undefined ? [] : [one.const]));
  return [...new Set(named.filter((value): value is string => typeof value === "string"))];
}

function kindOf(found: readonly JsonSchema[], choices: readonly string[]): Kind {
  const types = new Set(found.flatMap(typesOf));
  const searched = found.some((one) => one.properties?.values && one.properties.low);
  if (searched) return "searched";
  if (found.some((one) => one.properties)) return found.length === 1 ? "block" : "free";
  if (types.has("object")) return "free";
  if (choices.length) return "choice";
  if (types.has("array")) return "list";
  if (types.has("boolean") && types.size === 1) return "switch";
  if ((types.has("number") || types.has("integer")) && !types.has("string")) return "number";
  return types.has("string") ? "text" : "free";
}

/** The document without values that are the schema's defaults, as a person would have written it. */
export function withoutDefaults(root: JsonSchema, data: Record<string, unknown>): Record<string, unknown> {
  return pruned(root, [], data) as Record<string, unknown>;
}

function pruned(root: JsonSchema, path: Path, data: Record<string, unknown>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(data)) {
    const schema = schemaAt(root, [...path, key]);
    const fixed = schema ? resolved(root, schema) : {};
    if (value === null && (fixed.default === null || fixed.default === undefined)) continue;
    if (fixed.default !== undefined && same(value, fixed.default)) continue;
    const block = schema && branches(root, schema).some((one) => one.properties) && key !== "parameters";
    const inner = isMapping(value) && block ? pruned(root, [...path, key], value) : value;
    if (isMapping(inner) && !Object.keys(inner).length) continue;
    kept[key] = inner;
  }
  return kept;
}

/** Equal as data; the order of keys does not count. */
export function same(one: unknown, other: unknown): boolean {
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((value, index) => same(value, other[index]));
  }
  if (isMapping(one) && isMapping(other)) {
    const keys = Object.keys(one);
    return keys.length === Object.keys(other).length && keys.every((key) => key in other && same(one[key], other[key]));
  }
  return one === other;
}
