import { readAiconfigurator } from "@/api/documents";
import { Problem } from "@/api/problem";
import { read } from "@/features/task-form/document/text";
import { type JsonSchema, keysAt } from "@/features/task-form/schema/lookup";

/** Something that did not come over as it stood in the file. */
export interface Loss {
  place: string;
  said: string;
  became: string;
  why: string;
}

/** What a file became, before it takes the place of anything. */
export interface ReadFile {
  /** Where the document comes from. */
  kind: "task document" | "aiconfigurator";
  name: string;
  text: string;
  losses: readonly Loss[];
  /** Whole sentences. */
  remarks: readonly string[];
  /** Why it cannot be run as it stands. */
  problem: string | null;
}

export const MAX_FILE_BYTES = 1 << 20;

/** What kind of file it is: a document has the schema's keys only; whatever else may be one of aiconfigurator's. */
export function looksLikeDocument(schema: JsonSchema, text: string): boolean {
  const { data } = read(text);
  if (!data) return false;
  const known = keysAt(schema, []);
  const keys = Object.keys(data);
  return keys.length > 0 && keys.every((key) => known.has(key));
}

/** The documents of a file: one, or several of aiconfigurator. Throws what the service says of a file that is none. */
export async function readFile(schema: JsonSchema, name: string, text: string): Promise<ReadFile[]> {
  const asDocument = (): ReadFile[] => [
    {
      kind: "task document",
      name,
      text: text.endsWith("\n") ? text : `${text}\n`,
      losses: [],
      remarks: [],
      problem: null,
    },
  ];
  if (looksLikeDocument(schema, text)) return asDocument();
  try {
    const answer = await readAiconfigurator(text);
    return answer.items.map(({ imported }) => ({
      kind: "aiconfigurator",
      name: imported.name,
      text: imported.text,
      losses: imported.losses,
      remarks: [
        `Read as a file of generation ${imported.generation}, for ${imported.engine}.`,
        ...imported.remarks,
        ...(imported.kept.length ? [`Kept in metadata: ${imported.kept.join(", ")}.`] : []),
        ...(imported.unknown.length ? [`Not known, kept in metadata: ${imported.unknown.join(", ")}.`] : []),
      ],
      problem: imported.problem ?? null,
    }));
  } catch (error) {
    // A document with a mistake in it is still a document: its form shows the mistake.
    const known = keysAt(schema, []);
    const mostly = Object.keys(read(text).data ?? {}).some((key) => known.has(key));
    if (error instanceof Problem && error.status < 500 && mostly) return asDocument();
    throw error;
  }
}
