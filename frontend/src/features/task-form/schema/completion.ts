import { cursorAt } from "@/features/task-form/document/cursor";
import { branches, fieldAt, type JsonSchema, keysAt, resolved, schemaAt } from "@/features/task-form/schema/lookup";

export interface Proposal {
  label: string;
  /** What is put in. */
  insert: string;
  detail: string;
  info: string;
}

/** What may be written at a place of the text; `from`: where the word begins that it replaces. */
export function proposalsAt(
  root: JsonSchema,
  text: string,
  offset: number,
): { from: number; proposals: Proposal[] } | null {
  const cursor = cursorAt(text, offset);
  if (!cursor) return null;
  if (cursor.inValue) {
    const field = fieldAt(root, [...cursor.holder, cursor.key]);
    const values = field?.kind === "switch" ? ["true", "false"] : (field?.choices ?? []);
    const fallback = field?.default === undefined ? "" : String(field.default);
    return {
      from: cursor.from,
      proposals: values.map((value) => ({
        label: value,
        insert: value,
        detail: value === fallback ? "default" : "",
        info: "",
      })),
    };
  }
  const proposals = [...keysAt(root, cursor.holder)].map(([key, schema]) => {
    const whole = resolved(root, schema);
    const block = branches(root, schema).every((one) => one.properties);
    return {
      label: key,
      insert: block ? `${key}:` : `${key}: `,
      detail: block
        ? "block"
        : whole.default === null || whole.default === undefined
          ? ""
          : JSON.stringify(whole.default),
      info: whole.description ?? "",
    };
  });
  return { from: cursor.from, proposals };
}

/** What is known of the key at a place of the text, for a tip; null: nothing. */
export function tipAt(root: JsonSchema, text: string, offset: number): { key: string; text: string } | null {
  const cursor = cursorAt(text, offset);
  if (!cursor?.key || cursor.inValue) return null;
  const schema = schemaAt(root, [...cursor.holder, cursor.key]);
  const description = schema && resolved(root, schema).description;
  return description ? { key: cursor.key, text: description } : null;
}
