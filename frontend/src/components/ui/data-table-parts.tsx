import { ArrowDown, ArrowUp, ChevronsUpDown } from "lucide-react";
import type { KeyboardEvent } from "react";
import { cx } from "@/components/ui/class-names";

interface SortableHeadProps {
  text: string;
  right: boolean;
  className?: string;
  sorted: false | "asc" | "desc";
  /** Null: the column cannot be sorted. */
  onPress: (() => void) | null;
}

/** The head of a column; by pressing it the table is sorted. */
export function SortableHead({ text, right, className, sorted, onPress }: SortableHeadProps) {
  const Icon = sorted === "asc" ? ArrowUp : sorted === "desc" ? ArrowDown : ChevronsUpDown;
  return (
    <th
      scope="col"
      aria-sort={sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : onPress ? "none" : undefined}
      className={cx(
        "border-b border-line px-2 py-1.5 text-xs font-medium whitespace-nowrap text-ink-soft first:pl-4 last:pr-4 sm:px-2.5",
        right ? "text-right" : "text-left",
        className,
      )}
    >
      {onPress ? (
        <button
          type="button"
          onClick={onPress}
          className={cx(
            "-mx-1 inline-flex cursor-pointer items-center gap-1 rounded px-1 hover:text-ink",
            right && "flex-row-reverse",
            sorted && "text-ink",
          )}
        >
          {text}
          <Icon size={13} aria-hidden className={cx(!sorted && "opacity-50")} />
        </button>
      ) : (
        text
      )}
    </th>
  );
}

/** Arrow keys go from a cell's control to that of the row above or below. */
export function onArrowKeys(event: KeyboardEvent<HTMLElement>): void {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const cell = (event.target as HTMLElement).closest("td");
  const row = cell?.closest("tr");
  const next = event.key === "ArrowDown" ? row?.nextElementSibling : row?.previousElementSibling;
  const target = cell && next?.children.item(cell.cellIndex)?.querySelector<HTMLElement>("a, button, input");
  if (!target) return;
  event.preventDefault();
  target.focus();
}
