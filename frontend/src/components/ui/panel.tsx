import type { ReactNode } from "react";
import { cx } from "@/components/ui/class-names";

interface PanelProps {
  title?: string;
  /** Beside the title, at the right. */
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
  /** The content reaches the edges, e.g. a table. */
  flush?: boolean;
}

/** A titled surface. */
export function Panel({ title, actions, children, className, flush }: PanelProps) {
  return (
    <section aria-label={title} className={cx("min-w-0 rounded-lg border border-line bg-surface", className)}>
      {title && (
        <header className="flex flex-wrap items-center justify-between gap-2 px-4 pt-3 pb-2">
          <h2>{title}</h2>
          {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
        </header>
      )}
      <div className={flush ? "overflow-x-auto" : cx("px-4 pb-4", !title && "pt-4")}>{children}</div>
    </section>
  );
}
