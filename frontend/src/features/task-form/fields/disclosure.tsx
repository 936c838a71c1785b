import { ChevronRight } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { Badge } from "@/components/ui/badge";

interface DisclosureProps {
  title: string;
  note?: string;
  /** Something in it is wrong: it opens. */
  wrong?: boolean;
  children: ReactNode;
}

/** What most people need not see. Its content is made when it is opened first. */
export function Disclosure({ title, note, wrong = false, children }: DisclosureProps) {
  const [open, setOpen] = useState(wrong);
  const [opened, setOpened] = useState(wrong);
  useEffect(() => {
    if (wrong) setOpen(true);
  }, [wrong]);
  return (
    <details
      open={open}
      className="group rounded-md border border-line"
      onToggle={(event) => {
        setOpen(event.currentTarget.open);
        if (event.currentTarget.open) setOpened(true);
      }}
    >
      <summary className="flex cursor-pointer list-none items-center gap-2 rounded-md px-3 py-2 text-sm font-medium hover:bg-sunken">
        <ChevronRight size={15} aria-hidden className="transition-transform group-open:rotate-90" />
        {title}
        <span className="ml-auto text-xs font-normal text-ink-soft">
          {wrong ? <Badge tone="bad">wrong</Badge> : note}
        </span>
      </summary>
      {opened && <div className="border-t border-line px-3 py-3">{children}</div>}
    </details>
  );
}
