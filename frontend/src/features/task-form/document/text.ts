import { type Document, isCollection, isMap, isPair, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { isMapping, type Path } from "@/features/task-form/document/path";

/** The task document as plain data. */
export type Data = Record<string, unknown>;

/** Something at a place in the text, offsets in characters. */
export interface Mark {
  from: number;
  to: number;
  message: string;
}

/** What a text says. `data` null: it is no YAML mapping, and `faults` say why. */
export interface Reading {
  data: Data | null;
  faults: readonly Mark[];
}

const OPTIONS = { prettyErrors: true, keepSourceTokens: true } as const;
const WRITTEN = { lineWidth: 110, flowCollectionPadding: false } as const;

function parsed(text: string): Document.Parsed {
  return parseDocument(text, { ...OPTIONS, lineCounter: new LineCounter() });
}

export function read(text: string): Reading {
  const document = parsed(text);
  const faults = document.errors.map(({ message, pos: [from, to] }) => ({
    from: Math.min(from, text.length),
    to: Math.min(Math.max(to, from + 1), text.length),
    message: message.split("\n", 1)[0] ?? message,
  }));
  if (faults.length) return { data: null, faults };
  const data: unknown = document.toJS() ?? {};
  if (isMapping(data)) return { data, faults };
  return { data: null, faults: [{ from: 0, to: text.length, message: "A task document has keys and values" }] };
}

/** Documents as people write them: short lists in one line, blocks on lines of their own. */
export function write(data: Data): string {
  const document = parseDocument("{}");
  document.contents = document.createNode(data) as Document.Parsed["contents"];
  flowInside(document.contents);
  return document.toString(WRITTEN);
}

/** The text with another value there; undefined takes the key away, and with it what is then empty around it. */
export function withValue(text: string, path: Path, value: unknown): string {
  const document = parsed(text);
  if (document.errors.length) return text;
  if (value === undefined) {
    remove(document, path);
  } else {
    if (!isMap(document.contents)) document.contents = parseDocument("{}").contents;
    const holder = document.getIn(path.slice(0, -1), true);
    if (path.length > 1 && !isCollection(holder)) {
      document.setIn(path.slice(0, -1), document.createNode({}));
    }
    if (isMap(holder) && !holder.items.length) holder.flow = false;
    const before = document.getIn(path, true);
    const node = document.createNode(value) as Node;
    flowInside(node, true);
    if (isScalar(before) && isScalar(node)) before.value = node.value;
    else {
      if (before && typeof before === "object" && "comment" in before && before.comment)
        node.comment = before.comment as string;
      document.setIn(path, node);
    }
  }
  if (isMap(document.contents)) document.contents.flow = document.contents.items.length === 0;
  return document.toString(WRITTEN);
}

function remove(document: Document, path: Path): void {
  if (!path.length || !document.hasIn(path)) return;
  const head = path.length === 1 && isMap(document.contents) ? document.contents.items[0]?.key : null;
  // What stands above the first key is said of the whole.
  if (isScalar(head) && head.value === path[0] && head.commentBefore) document.commentBefore = head.commentBefore;
  document.deleteIn(path);
  const holder = path.slice(0, -1);
  const around = document.getIn(holder, true);
  if (holder.length && isCollection(around) && around.items.length === 0) remove(document, holder);
}

/** Lists of plain values, and mappings in them, stand in one line. */
function flowInside(node: unknown, short = false): void {
  if (!isCollection(node)) return;
  const values = node.items.map((item) => (isPair(item) ? item.value : item));
  const plain = values.every((value) => isScalar(value));
  node.flow = plain && (!isMap(node) || !node.items.length || (short && isRange(node.toJSON())));
  for (const value of values) flowInside(value, true);
}

const isRange = (value: unknown): boolean => isMapping(value) && "type" in value;

/** Where the value at a place stands; the nearest thing around it when there is no such place; null: nowhere. */
export function rangeOf(text: string, path: Path): { from: number; to: number } | null {
  const document = parsed(text);
  let range: { from: number; to: number } | null = null;
  let node: unknown = document.contents;
  for (const key of path) {
    if (!isCollection(node)) break;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
      if (!pair) break;
      const name = isScalar(pair.key) ? pair.key.range : null;
      if (name) range = { from: name[0], to: name[1] };
      node = pair.value;
    } else {
      node = node.items[Number(key)];
      const place = node && typeof node === "object" && "range" in node ? (node.range as number[] | null) : null;
      if (place?.[0] !== undefined && place[1] !== undefined) range = { from: place[0], to: place[1] };
    }
  }
  return range;
}
