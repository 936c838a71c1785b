import { createFileRoute } from "@tanstack/react-router";
import { PageHead } from "@/components/layout/page-head";
import { CompareTasksView } from "@/features/compare/compare-tasks-view";
import { compareSearch, idsOf } from "@/features/compare/ids";

export const Route = createFileRoute("/compare-tasks")({ validateSearch: compareSearch, component: Page });

function Page() {
  const ids = idsOf(Route.useSearch().ids);
  return (
    <>
      <PageHead title="Compare tasks" lead="Verdicts, what was asked, and the best of each." />
      <CompareTasksView ids={ids} />
    </>
  );
}
