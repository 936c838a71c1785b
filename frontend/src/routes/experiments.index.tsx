import { createFileRoute, useNavigate } from "@tanstack/react-router";
import { useCallback } from "react";
import { experimentListQuery } from "@/api/experiment-list";
import { PageHead } from "@/components/layout/page-head";
import { ExperimentsView } from "@/features/experiments/experiments-view";
import { allExperimentsSearch, asked, type SearchChanges } from "@/features/experiments/search";

export const Route = createFileRoute("/experiments/")({
  validateSearch: allExperimentsSearch,
  loaderDeps: ({ search }) => asked(search),
  loader: ({ context, deps }) => void context.queryClient.prefetchQuery(experimentListQuery(deps)),
  component: Page,
});

function Page() {
  const navigate = useNavigate({ from: Route.fullPath });
  const onSearch = useCallback(
    (changes: SearchChanges) =>
      void navigate({ search: (before) => allExperimentsSearch({ ...before, ...changes }), replace: true }),
    [navigate],
  );
  return (
    <>
      <PageHead title="Experiments" />
      <ExperimentsView search={Route.useSearch()} onSearch={onSearch} />
    </>
  );
}
