import type { Path } from "@/features/task-form/document/path";

/**
 * Where a place in a text is, told by its lines' indentation alone: it must also be told while the text is half typed
 * and no YAML yet.
 */
export interface Cursor {
  /** The mapping that a key there belongs to. */
  holder: Path;
  /** The key of the line, whether complete or not. */
  key: string;
  /** The cursor stands behind the key's colon. */
  inValue: boolean;
  /** Where the word at the cursor begins. */
  from: number;
}

const KEY = /^(\s*)((?:- )*)("?)([\w./-]*)\3(\s*:(?=\s|$))?/;

/** Null: the line is a comment. */
export function cursorAt(text: string, offset: number): Cursor | null {
  const begin = text.lastIndexOf("\n", offset - 1) + 1;
  const before = text.slice(begin, offset);
  if (/^\s*#/.test(before)) return null;
  const whole = text.slice(begin).split("\n", 1)[0] ?? "";
  const line = KEY.exec(whole);
  const indent = (line?.[1] ?? "").length + (line?.[2] ?? "").length;
  const colon = line?.[5] ? (line[0]?.length ?? 0) : Number.POSITIVE_INFINITY;
  const inValue = before.length >= colon;
  const word = /[\w./-]*$/.exec(before)?.[0] ?? "";
  return { holder: holderOf(text.slice(0, begin), indent), key: line?.[4] ?? "", inValue, from: offset - word.length };
}

/** The keys of less and less indented lines above. */
function holderOf(above: string, indent: number): Path {
  const path: string[] = [];
  let least = indent;
  for (const line of above.split("\n").reverse()) {
    if (least === 0) break;
    if (!line.trim() || /^\s*#/.test(line)) continue;
    const found = KEY.exec(line);
    const deep = (found?.[1] ?? "").length;
    if (deep < least && found?.[5] && found[4]) {
      path.unshift(found[4]);
      least = deep;
    }
  }
  return path;
}
