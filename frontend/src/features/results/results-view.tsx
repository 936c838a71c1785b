import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { metricNamesQuery, resultQuery } from "@/api/results";
import { QueryStates } from "@/components/states/states";
import { cx } from "@/components/ui/class-names";
import { ClientView } from "@/features/results/client-view";
import { ExperimentsView } from "@/features/results/experiments-view";
import { FilesView } from "@/features/results/files-view";
import { PlotsView } from "@/features/results/plots-view";
import type { View } from "@/features/results/search";
import { useResultsSearch } from "@/features/results/use-results-search";
import { VerdictView } from "@/features/results/verdict-view";

const LABELS: readonly [View, string][] = [
  ["verdict", "Verdict"],
  ["plots", "Plots"],
  ["experiments", "Experiments"],
  ["files", "Reports and files"],
  ["client", "Report pages"],
];

/** What a task came to: the verdict first, then plots, experiments, and what to take away. */
export function ResultsView({ taskId }: { taskId: number }) {
  const result = useQuery(resultQuery(taskId));
  const names = useQuery(metricNamesQuery);
  const [search] = useResultsSearch();
  const view = search.view ?? "verdict";
  return (
    <QueryStates query={result} lines={8}>
      {(shown) => (
        <>
          <nav aria-label="Parts of the result" className="mb-4 flex flex-wrap gap-1">
            {LABELS.map(([id, label]) => (
              <Link
                key={id}
                to="."
                search={((before: object) => ({ ...before, view: id === "verdict" ? undefined : id })) as never}
                resetScroll={false}
                activeOptions={{ exact: true, includeSearch: true, explicitUndefined: true }}
                className={cx(
                  "rounded-md px-3 py-1.5 text-sm",
                  view === id
                    ? "bg-accent-soft font-medium text-accent"
                    : "text-ink-soft hover:bg-sunken hover:text-ink",
                )}
              >
                {label}
              </Link>
            ))}
          </nav>
          {view === "verdict" && <VerdictView result={shown} names={names.data ?? []} />}
          {view === "experiments" && <ExperimentsView result={shown} names={names.data ?? []} />}
          {view === "files" && <FilesView result={shown} />}
          {view === "client" && <ClientView result={shown} />}
          {view === "plots" && <PlotsView result={shown} names={names.data ?? []} />}
        </>
      )}
    </QueryStates>
  );
}
