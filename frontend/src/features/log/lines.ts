/** Lines of a text, by where they begin, so that a large log is not held twice. */
export interface Lines {
  readonly text: string;
  /** Where each line begins. */
  readonly begins: readonly number[];
}

export const NO_LINES: Lines = { text: "", begins: [] };

/** The lines of a text; of one that has only grown, the new ones are looked for alone. */
export function linesOf(text: string, before: Lines = NO_LINES): Lines {
  if (text === before.text) return before;
  const grown = before.text.length > 0 && text.startsWith(before.text);
  // The last line of before may go on.
  const begins = grown ? before.begins.slice(0, -1) : [];
  let at = grown ? (before.begins.at(-1) ?? 0) : 0;
  while (at < text.length) {
    begins.push(at);
    const end = text.indexOf("\n", at);
    if (end < 0) break;
    at = end + 1;
  }
  return { text, begins };
}

/** One line, without its end. */
export function lineAt({ text, begins }: Lines, index: number): string {
  const begin = begins[index];
  if (begin === undefined) return "";
  const next = begins[index + 1] ?? text.length;
  const line = text.slice(begin, next);
  return line.endsWith("\r\n") ? line.slice(0, -2) : line.endsWith("\n") ? line.slice(0, -1) : line;
}

// What a terminal would obey, and what turns the direction of writing: neither may deceive the reader.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** The line with every character that would act shown as a sign. */
export function harmless(line: string): string {
  return line.replace(CONTROL, (sign) => {
    const code = sign.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "\u2421" : "\ufffd";
  });
}

export type Level = "error" | "warning" | "debug";

const LEVELS: readonly [Level, RegExp][] = [
  [
    "error",
    /\b(?:ERROR|CRITICAL|FATAL|Traceback)\b|\berror:|\b\w*(?:Error|Exception): |^(?:[\d.:]+ )?E(?:\d{4}\b| )|"level": ?"error"/,
  ],
  ["warning", /\bWARN(?:ING)?\b|\bwarning:|^(?:[\d.:]+ )?W(?:\d{4}\b| )|"level": ?"warning"/],
  ["debug", /\b(?:DEBUG|TRACE)\b|^(?:[\d.:]+ )?D(?:\d{4}\b| )|"level": ?"debug"/],
];

/** How severe a line says that it is; null for what is usual. */
export function levelOf(line: string): Level | null {
  const begin = line.slice(0, 400);
  return LEVELS.find(([, pattern]) => pattern.test(begin))?.[0] ?? null;
}

const HEAD = /^== .*: (experiment-\d{4,}\/attempt-\d{2,}) ==$/;

/** The server start whose log begins with this line; null for any other line. */
export const streamOf = (line: string): string | null => HEAD.exec(line)?.[1] ?? null;

/** The starts whose logs begin in the text. */
export function streamsIn(lines: Lines): string[] {
  const found: string[] = [];
  for (let at = lines.text.indexOf("== "); at >= 0; at = lines.text.indexOf("\n== ", at + 1)) {
    const begin = lines.text[at] === "\n" ? at + 1 : at;
    const end = lines.text.indexOf("\n", begin);
    const stream = streamOf(lines.text.slice(begin, end < 0 ? undefined : end));
    if (stream !== null && !found.includes(stream)) found.push(stream);
  }
  return found;
}

/** Numbers of the lines that have the words; case is ignored. */
export function linesWith(lines: Lines, words: string): number[] {
  if (words === "") return [];
  const text = lines.text.toLowerCase();
  const looked = words.toLowerCase();
  const found: number[] = [];
  let line = 0;
  for (let at = text.indexOf(looked); at >= 0; at = text.indexOf(looked, at + 1)) {
    line = lineOf(lines.begins, at, line);
    if (found.at(-1) !== line) found.push(line);
    // The rest of the line tells nothing new.
    at = (lines.begins[line + 1] ?? text.length) - 1;
  }
  return found;
}

/** The line that a character stands in, not before `least`. */
function lineOf(begins: readonly number[], at: number, least: number): number {
  let low = least;
  let high = begins.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((begins[middle] ?? 0) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** A line in parts, of which every second one is what was looked for. */
export function parts(line: string, words: string): string[] {
  if (words === "") return [line];
  const lower = line.toLowerCase();
  const looked = words.toLowerCase();
  const made: string[] = [];
  let from = 0;
  for (let at = lower.indexOf(looked); at >= 0; at = lower.indexOf(looked, from)) {
    made.push(line.slice(from, at), line.slice(at, at + looked.length));
    from = at + looked.length;
  }
  made.push(line.slice(from));
  return made;
}
