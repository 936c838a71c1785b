import { createFileRoute } from "@tanstack/react-router";
import { PageHead } from "@/components/layout/page-head";
import { CompareView } from "@/features/compare/compare-view";
import { compareSearch, idsOf } from "@/features/compare/ids";

export const Route = createFileRoute("/compare")({ validateSearch: compareSearch, component: Page });

function Page() {
  const ids = idsOf(Route.useSearch().ids);
  return (
    <>
      <PageHead
        title="Compare experiments"
        lead="What was set differently, and what came of it. Equal lines step back."
      />
      <CompareView ids={ids} />
    </>
  );
}
