import { RefreshCw } from "lucide-react";
import { useEffect, useState } from "react";
import { cx } from "@/components/ui/class-names";
import type { LinkState } from "@/live/link";
import { useLinkState, useLive } from "@/live/live";

const DOTS = {
  live: "bg-good",
  connecting: "bg-warn",
  waiting: "bg-warn",
  off: "bg-bad",
  paused: "bg-line-strong",
} as const;

/** Whether events arrive, in words; when all tries are spent, a button. */
export function ConnectionState() {
  const state = useLinkState();
  const { link } = useLive();
  const seconds = useSecondsTo(state.kind === "waiting" ? state.until : null);
  return (
    <div className="flex flex-wrap items-center gap-x-2 gap-y-1 text-xs text-ink-soft">
      <span className="flex items-center gap-2" role="status">
        <span aria-hidden className={cx("size-2 shrink-0 rounded-full", DOTS[state.kind])} />
        {wordFor(state)}
      </span>
      {state.kind === "waiting" && <span className="figures max-md:hidden">in {seconds} s</span>}
      {(state.kind === "waiting" || state.kind === "off") && (
        <button
          type="button"
          className="flex cursor-pointer items-center gap-1 rounded font-medium text-accent underline-offset-2 hover:underline"
          onClick={() => link.start()}
        >
          <RefreshCw size={12} aria-hidden /> Reconnect
        </button>
      )}
    </div>
  );
}

function wordFor(state: LinkState): string {
  switch (state.kind) {
    case "live":
      return "Live";
    case "connecting":
      return "Connecting";
    case "waiting":
      return `Not connected, try ${state.attempt} of ${state.attempts}`;
    case "off":
      return "Not connected, asking now and then";
    case "paused":
      return "Paused";
  }
}

function useSecondsTo(until: number | null): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (until === null) return;
    setNow(Date.now());
    const ticking = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(ticking);
  }, [until]);
  return until === null ? 0 : Math.max(0, Math.ceil((until - now) / 1000));
}
