/** One cell of a table that is saved. */
export type Cell = string | number | boolean | null | undefined;

/** A table as people save it: names of the columns, and the rows. */
export interface Table {
  columns: readonly string[];
  rows: readonly (readonly Cell[])[];
}

// What a spreadsheet would run as a formula; numbers with a sign are numbers.
const FORMULA = /^[=+\-@\t\r]/;
const NEEDS_QUOTES = /[",\r\n]/;

/** RFC 4180. Text that a spreadsheet would run gets an apostrophe in front. */
export function csv(table: Table): string {
  return `${[table.columns, ...table.rows].map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

/** A list of objects, a row each. */
export function json(table: Table): string {
  const rows = table.rows.map((row) => Object.fromEntries(table.columns.map((name, at) => [name, row[at] ?? null])));
  return `${JSON.stringify(rows, null, 2)}\n`;
}

function cell(value: Cell): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const safe = FORMULA.test(value) && !Number.isFinite(Number(value)) ? `'${value}` : value;
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
