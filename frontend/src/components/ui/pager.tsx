import { ChevronLeft, ChevronRight } from "lucide-react";
import { Button } from "@/components/ui/button";

interface PagerProps {
  page: number;
  size: number;
  total: number;
  /** False: there are more than `total`. */
  exact: boolean;
  onPage: (page: number) => void;
}

/** Which part of a list is shown, and the way to the others. */
export function Pager({ page, size, total, exact, onPage }: PagerProps) {
  const first = (page - 1) * size + 1;
  const last = Math.min(total, page * size);
  if (total === 0) return null;
  const whole = `${total.toLocaleString("en-US")}${exact ? "" : " or more"}`;
  return (
    <nav
      aria-label="Pages of the list"
      className="flex items-center justify-between gap-3 border-t border-line px-4 py-2 text-sm"
    >
      <p className="figures text-ink-soft" aria-live="polite">
        {first > last
          ? `No such page of ${whole}`
          : `${first.toLocaleString("en-US")}–${last.toLocaleString("en-US")} of ${whole}`}
      </p>
      {(total > size || page > 1) && (
        <div className="flex gap-1">
          <Button size="icon" aria-label="Page before" disabled={page <= 1} onClick={() => onPage(page - 1)}>
            <ChevronLeft size={16} aria-hidden />
          </Button>
          <Button size="icon" aria-label="Next page" disabled={last >= total} onClick={() => onPage(page + 1)}>
            <ChevronRight size={16} aria-hidden />
          </Button>
        </div>
      )}
    </nav>
  );
}
