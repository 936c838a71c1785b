import { Link, type LinkProps } from "@tanstack/react-router";
import type { ReactNode } from "react";

export interface TabLink {
  label: string;
  to: LinkProps["to"];
  params?: LinkProps["params"];
  /** Beside the label, such as how many there are. */
  count?: ReactNode;
  exact?: boolean;
}

/** Tabs that are addresses: each can be linked to, opened beside, and gone back from. */
export function TabLinks({ label, tabs }: { label: string; tabs: readonly TabLink[] }) {
  return (
    <nav aria-label={label} className="mb-5 overflow-x-auto border-b border-line">
      <ul className="flex gap-1">
        {tabs.map(({ label: text, to, params, count, exact }) => (
          <li key={text}>
            <Link
              {...({ to, params } as LinkProps)}
              activeOptions={{ exact: exact ?? false, includeSearch: false }}
              className="-mb-px flex items-center gap-1.5 border-b-2 border-transparent px-3 py-2 text-sm whitespace-nowrap text-ink-soft hover:text-ink"
              activeProps={{ className: "border-accent! text-ink font-medium", "aria-current": "page" }}
            >
              {text}
              {count !== undefined && <span className="figures text-xs text-ink-soft">{count}</span>}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
