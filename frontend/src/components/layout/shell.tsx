import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import type { CSSProperties, ReactNode } from "react";
import { Toaster } from "sonner";
import { MENU } from "@/components/layout/menu";
import { useIsDark } from "@/components/layout/theme";
import { Button } from "@/components/ui/button";
import { ConnectionState } from "@/live/connection-state";

/** Messages have the colours and the type of the pages. */
const TOAST_COLOURS = {
  fontFamily: "inherit",
  "--normal-bg": "var(--surface)",
  "--normal-text": "var(--ink)",
  "--normal-border": "var(--line)",
  "--success-bg": "var(--good-soft)",
  "--success-text": "var(--good)",
  "--success-border": "var(--good)",
  "--error-bg": "var(--bad-soft)",
  "--error-text": "var(--bad)",
  "--error-border": "var(--bad)",
};

/** What stands around every page: the menu, the state of the live link, messages. */
export function Shell({ children }: { children: ReactNode }) {
  const dark = useIsDark();
  return (
    <div className="min-h-dvh md:grid md:grid-cols-[13.5rem_minmax(0,1fr)]">
      <a
        href="#content"
        className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:m-2 focus:rounded focus:bg-surface focus:p-2"
      >
        To the content
      </a>
      <header className="flex items-center gap-x-3 gap-y-1 border-line bg-surface max-md:flex-wrap max-md:border-b max-md:px-3 max-md:py-2 md:sticky md:top-0 md:h-dvh md:flex-col md:items-stretch md:border-r md:p-4">
        <Link to="/" className="flex items-center gap-2 text-[15px] font-semibold md:mb-3">
          <img src="/icon.svg" alt="" width={26} height={26} />
          <span className="max-sm:sr-only">inference-autotuner</span>
        </Link>
        <Button asChild look="primary" size="small" className="max-md:ml-auto md:mb-3 md:h-9">
          <Link to="/tasks/new">
            <Plus size={16} aria-hidden /> New task
          </Link>
        </Button>
        <nav aria-label="Main" className="max-md:order-last max-md:w-full max-md:overflow-x-auto">
          <ul className="flex gap-0.5 md:flex-col">
            {MENU.map(({ to, label, icon: Icon }) => (
              <li key={to}>
                <Link
                  to={to}
                  activeOptions={{ exact: to === "/" }}
                  className="flex items-center gap-2.5 rounded-md px-2.5 py-1.5 text-sm text-ink-soft hover:bg-sunken hover:text-ink"
                  activeProps={{ className: "bg-accent-soft text-accent font-medium", "aria-current": "page" }}
                >
                  <Icon size={17} aria-hidden />
                  {label}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <div className="md:mt-auto">
          <ConnectionState />
        </div>
      </header>
      <main
        id="content"
        tabIndex={-1}
        className="mx-auto w-full max-w-[92rem] min-w-0 px-4 py-5 outline-none md:px-8 md:py-7"
      >
        {children}
      </main>
      <Toaster
        theme={dark ? "dark" : "light"}
        position="bottom-right"
        richColors
        closeButton
        style={TOAST_COLOURS as CSSProperties}
      />
    </div>
  );
}
