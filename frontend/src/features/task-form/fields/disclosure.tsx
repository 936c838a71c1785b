import { ChevronRight } from "lucide-react";
import { type ReactNode, useState } from "react";

/** What most people need not see. Its content is made when it is opened first. */
export function Disclosure({ title, note, children }: { title: string; note?: string; children: ReactNode }) {
  const [opened, setOpened] = useState(false);
  return (
    <details
      className="group rounded-md border border-line"
      onToggle={(event) => event.currentTarget.open && setOpened(true)}
    >
      <summary className="flex cursor-pointer list-none items-center gap-2 rounded-md px-3 py-2 text-sm font-medium hover:bg-sunken">
        <ChevronRight size={15} aria-hidden className="transition-transform group-open:rotate-90" />
        {title}
        {note && <span className="ml-auto text-xs font-normal text-ink-soft">{note}</span>}
      </summary>
      {opened && <div className="border-t border-line px-3 py-3">{children}</div>}
    </details>
  );
}
