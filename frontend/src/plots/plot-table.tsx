import type { Cell, Table } from "@/format/csv";
import { figure } from "@/format/figures";

const MOST = 500;

/** The figures of a plot. The first 500 rows are shown; all of them are saved. */
export function PlotTable({ table, title }: { table: Table; title: string }) {
  const numeric = table.columns.map((_, at) => table.rows.some((row) => typeof row[at] === "number"));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
    <section aria-label={title} tabIndex={0} className="max-h-96 overflow-auto rounded border border-line">
      <table className="w-full text-[13px]">
        <thead className="sticky top-0 bg-sunken text-left text-ink-soft">
          <tr>
            {table.columns.map((name, at) => (
              <th key={name} scope="col" className={`px-3 py-1.5 font-medium ${numeric[at] ? "text-right" : ""}`}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.slice(0, MOST).map((row, line) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no name of their own and never change places
            <tr key={line} className="border-t border-line">
              {row.map((value, at) => (
                <td
                  key={table.columns[at]}
                  className={numeric[at] ? "figures px-3 py-1 text-right whitespace-nowrap" : "px-3 py-1"}
                >
                  {text(value)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {table.rows.length > MOST && (
        <p className="px-3 py-2 text-xs text-ink-soft">
          The first {MOST} of {table.rows.length} rows. Save the data to have all.
        </p>
      )}
    </section>
  );
}

function text(value: Cell): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "number" ? figure(value) : String(value);
}
