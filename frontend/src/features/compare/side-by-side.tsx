import type { ReactNode } from "react";
import { cx } from "@/components/ui/class-names";

/** One line over all columns. */
export interface Side {
  name: string;
  cells: readonly ReactNode[];
  /** For a small bar behind each figure; the longest is the greatest. */
  bars?: readonly (number | null | undefined)[];
  differs: boolean;
}

interface SideBySideProps {
  label: string;
  columns: readonly { key: string; head: ReactNode }[];
  groups: readonly { title: string; rows: readonly Side[]; none?: string }[];
}

/** Columns beside each other. Lines with a difference stand out, equal ones step back. */
export function SideBySide({ label, columns, groups }: SideBySideProps) {
  return (
    <table aria-label={label} className="w-full border-separate border-spacing-0 text-sm">
      <thead>
        <tr>
          <th className="sticky left-0 z-10 min-w-44 bg-surface px-4 py-2 text-left font-medium" />
          {columns.map((column) => (
            <th key={column.key} scope="col" className="min-w-32 px-3 py-2 text-right align-bottom font-medium">
              {column.head}
            </th>
          ))}
        </tr>
      </thead>
      {groups.map((group) => (
        <tbody key={group.title}>
          <tr>
            <th
              colSpan={columns.length + 1}
              scope="colgroup"
              className="border-t border-line bg-sunken px-4 py-1.5 text-left text-[13px] font-medium"
            >
              {group.title}
            </th>
          </tr>
          {group.rows.length === 0 && (
            <tr>
              <td colSpan={columns.length + 1} className="px-4 py-2 text-ink-soft">
                {group.none}
              </td>
            </tr>
          )}
          {group.rows.map((row) => (
            <Line key={row.name} row={row} columns={columns} />
          ))}
        </tbody>
      ))}
    </table>
  );
}

function Line({ row, columns }: { row: Side; columns: readonly { key: string }[] }) {
  const most = Math.max(0, ...(row.bars ?? []).flatMap((value) => (typeof value === "number" ? [value] : [])));
  return (
    <tr className={cx(!row.differs && "text-ink-soft")}>
      <th scope="row" className="sticky left-0 z-10 border-t border-line bg-surface px-4 py-1.5 text-left font-normal">
        {row.name}
      </th>
      {columns.map((column, at) => (
        <td
          key={column.key}
          className={cx("figures border-t border-line px-3 py-1.5 text-right", row.differs && "font-medium")}
        >
          {row.cells[at] ?? "–"}
          {row.differs && most > 0 && (
            <span aria-hidden className="mt-0.5 ml-auto block h-[3px] w-full max-w-36 rounded-full bg-sunken">
              <span
                className="ml-auto block h-full rounded-full bg-accent/70"
                style={{ width: `${(Math.max(0, row.bars?.[at] ?? 0) / most) * 100}%` }}
              />
            </span>
          )}
        </td>
      ))}
    </tr>
  );
}
