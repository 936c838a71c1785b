import type { ReactNode } from "react";

interface SectionProps {
  id: string;
  title: string;
  /** One sentence. */
  lead?: string;
  actions?: ReactNode;
  children: ReactNode;
}

/** A part of the form. */
export function Section({ id, title, lead, actions, children }: SectionProps) {
  return (
    <section
      id={id}
      aria-labelledby={`${id}-title`}
      className="scroll-mt-4 rounded-lg border border-line bg-surface px-4 py-3.5"
    >
      <header className="mb-3 flex flex-wrap items-start justify-between gap-2">
        <div>
          <h2 id={`${id}-title`}>{title}</h2>
          {lead && <p className="text-sm text-ink-soft">{lead}</p>}
        </div>
        {actions}
      </header>
      <div className="grid gap-4">{children}</div>
    </section>
  );
}
