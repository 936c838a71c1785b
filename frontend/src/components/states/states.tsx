import type { UseQueryResult } from "@tanstack/react-query";
import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Problem } from "@/api/problem";
import { Button } from "@/components/ui/button";

/** Nothing is there yet, and what to do about it. */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="grid justify-items-center gap-2 px-4 py-12 text-center">
      <p className="font-semibold">{title}</p>
      {children && <div className="max-w-prose text-sm text-ink-soft">{children}</div>}
      {action}
    </div>
  );
}

/** What the service refused: what happened, why, what to do. */
export function Failed({ error, again }: { error: Error; again?: () => void }) {
  const details = error instanceof Problem ? error.details : null;
  return (
    <div role="alert" className="flex gap-3 rounded-md border border-bad/40 bg-bad-soft px-4 py-3 text-sm">
      <CircleAlert size={18} aria-hidden className="mt-0.5 shrink-0 text-bad" />
      <div className="grid gap-1">
        <p className="font-semibold text-bad">{error.message}</p>
        {details?.why && <p>Why: {details.why}</p>}
        {details?.remedy && <p>What to do: {details.remedy}</p>}
        {again && (
          <Button size="small" className="mt-1 justify-self-start" onClick={again}>
            Try again
          </Button>
        )}
      </div>
    </div>
  );
}

/** Lines in the place of what is on its way. */
export function Loading({ lines = 4, label = "Loading" }: { lines?: number; label?: string }) {
  return (
    <div role="status" aria-label={label} className="grid gap-3 px-4 py-5">
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all alike
        <div key={line} className="h-4 animate-pulse rounded bg-sunken" style={{ width: `${90 - (line % 3) * 17}%` }} />
      ))}
    </div>
  );
}

interface QueryStatesProps<T> {
  query: UseQueryResult<T, Error>;
  lines?: number;
  children: (data: T) => ReactNode;
}

/** The three states of a query: on its way, failed (older data stay, with the error above), there. */
export function QueryStates<T>({ query, lines, children }: QueryStatesProps<T>) {
  const failed = query.error && <Failed error={query.error} again={() => void query.refetch()} />;
  if (query.data === undefined) return failed || <Loading {...(lines && { lines })} />;
  return (
    <>
      {failed}
      {children(query.data)}
    </>
  );
}
