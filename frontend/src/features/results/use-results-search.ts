import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { type ResultsSearch, resultsSearch } from "@/features/results/search";

type Change = { [Key in keyof ResultsSearch]?: ResultsSearch[Key] | undefined };

/** What the address says, and how to change it. Changes replace the address unless `push` is asked for. */
export function useResultsSearch(): [ResultsSearch, (change: Change, push?: boolean) => void] {
  const given = useSearch({ strict: false });
  const search = useMemo(() => resultsSearch(given as Record<string, unknown>), [given]);
  const navigate = useNavigate();
  const change = useCallback(
    (part: Change, push = false) =>
      void navigate({
        to: ".",
        search: ((before: Record<string, unknown>) => ({ ...before, ...part })) as never,
        replace: !push,
        resetScroll: false,
      }),
    [navigate],
  );
  return [search, change];
}
