import { type ReactNode, useEffect } from "react";

/** The head of a page; its title is the tab's too. */
export function PageHead({ title, lead, actions }: { title: string; lead?: ReactNode; actions?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · inference-autotuner`;
  }, [title]);
  return (
    <header className="mb-5 flex flex-wrap items-start justify-between gap-3">
      <div className="min-w-0">
        <h1 className="break-words">{title}</h1>
        {lead && <div className="mt-0.5 text-sm text-ink-soft">{lead}</div>}
      </div>
      {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
    </header>
  );
}
