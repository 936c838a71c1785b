import {
  type ColumnDef,
  createSortedRowModel,
  type Row as ModelRow,
  rowSelectionFeature,
  rowSortingFeature,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useMemo, useRef } from "react";
import { cx } from "@/components/ui/class-names";
import { onArrowKeys, SortableHead } from "@/components/ui/data-table-parts";

export interface Column<Row> {
  id: string;
  /** What stands above it. */
  head: string;
  cell: (row: Row) => ReactNode;
  /** By what the table sorts; without it the column cannot be sorted. Null comes last. With `onServer`: any value. */
  sortBy?: (row: Row) => number | string | null;
  /** Numbers stand at the right. */
  align?: "right";
  /** The greatest first, at the first press. */
  descendingFirst?: boolean;
  /** Left out of narrower screens. */
  from?: "sm" | "md" | "lg" | "xl" | "2xl";
  className?: string;
}

export interface Sort {
  by: string;
  descending: boolean;
}

interface Selection {
  ids: readonly string[];
  onChange: (ids: string[]) => void;
  /** More cannot be chosen. */
  most?: number;
}

interface DataTableProps<Row> {
  /** Told to screen readers. */
  label: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  rowId: (row: Row) => string;
  /** What a row is called, for its checkbox. */
  rowLabel?: (row: Row) => string;
  sort?: Sort | null;
  onSort?: (sort: Sort) => void;
  /** The rows come sorted. */
  onServer?: boolean;
  selection?: Selection;
  /** Class names of a row, e.g. of the chosen one. */
  rowClass?: (row: Row) => string | undefined;
  /** What stands below the head when there are no rows. */
  empty?: ReactNode;
}

const features = tableFeatures({ rowSortingFeature, rowSelectionFeature, sortedRowModel: createSortedRowModel() });
type Features = typeof features;

const FROM = {
  sm: "max-sm:hidden",
  md: "max-md:hidden",
  lg: "max-lg:hidden",
  xl: "max-xl:hidden",
  "2xl": "max-2xl:hidden",
};
/** Longer tables draw only the rows that are seen. */
const VIRTUAL_FROM = 150;
const ROW_PX = 38;
const natural = new Intl.Collator("en", { numeric: true });

/** A table with sortable heads that stay in sight, rows that can be chosen, and any number of rows. */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const { label, rows, columns, rowId, rowLabel, sort, onSort, onServer, selection, rowClass, empty } = props;
  const definitions = useMemo(() => columns.map((column) => definition(column)), [columns]);
  const data = useMemo(() => [...rows], [rows]);
  const chosen = useMemo(
    () => Object.fromEntries((selection?.ids ?? []).map((id) => [id, true as const])),
    [selection?.ids],
  );
  const full = selection?.most !== undefined && selection.ids.length >= selection.most;
  const table = useTable<Features, { row: Row }>({
    features,
    columns: definitions,
    data: useMemo(() => data.map((row) => ({ row })), [data]),
    getRowId: ({ row }) => rowId(row),
    manualSorting: onServer ?? false,
    enableMultiSort: false,
    enableSortingRemoval: false,
    enableRowSelection: ({ id }) => !full || id in chosen,
    state: { sorting: sort ? [{ id: sort.by, desc: sort.descending }] : [], rowSelection: chosen },
    onSortingChange: (change) => {
      const [next] =
        typeof change === "function" ? change(sort ? [{ id: sort.by, desc: sort.descending }] : []) : change;
      if (next) onSort?.({ by: next.id, descending: next.desc });
    },
    onRowSelectionChange: (change) => {
      const ids = Object.keys(typeof change === "function" ? change(chosen) : change);
      selection?.onChange(selection.most === undefined ? ids : ids.slice(0, selection.most));
    },
  });
  const shown = table.getRowModel().rows;
  const frame = useRef<HTMLDivElement>(null);
  const virtual = shown.length >= VIRTUAL_FROM;
  const virtualizer = useVirtualizer({
    count: shown.length,
    enabled: virtual,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => shown[index]?.id ?? index,
    overscan: 12,
  });
  const items = virtualizer.getVirtualItems();
  const before = virtual ? (items[0]?.start ?? 0) : 0;
  const after = virtual ? virtualizer.getTotalSize() - (items.at(-1)?.end ?? 0) : 0;
  const width = columns.length + (selection ? 1 : 0);

  const line = (row: ModelRow<Features, { row: Row }>, index: number) => (
    <tr
      key={row.id}
      data-index={index}
      ref={virtual ? virtualizer.measureElement : undefined}
      aria-rowindex={virtual ? index + 2 : undefined}
      className={cx("hover:bg-sunken/60", row.getIsSelected() && "bg-accent-soft/50", rowClass?.(row.original.row))}
    >
      {selection && (
        <td className="w-9 border-b border-line py-1.5 pl-4 align-middle">
          <input
            type="checkbox"
            className="block size-4 accent-accent"
            aria-label={`Select ${rowLabel?.(row.original.row) ?? row.id}`}
            checked={row.getIsSelected()}
            disabled={!row.getCanSelect()}
            onChange={() => {}}
            onClick={row.getToggleSelectedHandler()}
          />
        </td>
      )}
      {columns.map((column) => (
        <td
          key={column.id}
          className={cx(
            "border-b border-line px-2 py-1.5 first:pl-4 last:pr-4 sm:px-2.5",
            column.align === "right" && "figures text-right whitespace-nowrap",
            column.from && FROM[column.from],
            column.className,
          )}
        >
          {column.cell(row.original.row)}
        </td>
      ))}
    </tr>
  );

  return (
    <section
      ref={frame}
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reached by keyboard
      tabIndex={0}
      className="max-h-[78dvh] overflow-auto"
    >
      <table
        className="w-full border-separate border-spacing-0 text-sm"
        aria-rowcount={virtual ? shown.length + 1 : undefined}
      >
        <thead className="sticky top-0 z-10 bg-surface">
          <tr aria-rowindex={virtual ? 1 : undefined}>
            {selection && (
              <th scope="col" className="w-9 border-b border-line py-1.5 pl-4">
                <input
                  type="checkbox"
                  className="block size-4 accent-accent"
                  aria-label="Select all rows"
                  checked={table.getIsAllRowsSelected()}
                  ref={(box) => {
                    if (box) box.indeterminate = table.getIsSomeRowsSelected() && !table.getIsAllRowsSelected();
                  }}
                  onChange={table.getToggleAllRowsSelectedHandler()}
                />
              </th>
            )}
            {columns.map((column) => (
              <SortableHead
                key={column.id}
                text={column.head}
                right={column.align === "right"}
                className={cx(column.from && FROM[column.from])}
                sorted={table.getColumn(column.id)?.getIsSorted() ?? false}
                onPress={
                  column.sortBy && onSort ? () => table.getColumn(column.id)?.toggleSorting(undefined, false) : null
                }
              />
            ))}
          </tr>
        </thead>
        <tbody onKeyDown={onArrowKeys} className="[&>tr:last-child>td]:border-b-0">
          {before > 0 && <tr aria-hidden style={{ height: before }} />}
          {virtual
            ? items.map(({ index }) => {
                const row = shown[index];
                return row && line(row, index);
              })
            : shown.map(line)}
          {after > 0 && <tr aria-hidden style={{ height: after }} />}
          {shown.length === 0 && empty && (
            <tr>
              <td colSpan={width}>{empty}</td>
            </tr>
          )}
        </tbody>
      </table>
    </section>
  );
}

function definition<Row>(column: Column<Row>): ColumnDef<Features, { row: Row }> {
  return {
    id: column.id,
    // Undefined comes last in both directions.
    accessorFn: ({ row }) => column.sortBy?.(row) ?? undefined,
    enableSorting: column.sortBy !== undefined,
    sortDescFirst: column.descendingFirst ?? false,
    sortUndefined: "last",
    sortFn: (one, other, id) => compare(one.getValue(id), other.getValue(id)),
  };
}

function compare(one: unknown, other: unknown): number {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return natural.compare(String(one), String(other));
}
