import { createFileRoute } from "@tanstack/react-router";
import { resultQuery } from "@/api/results";
import { ResultsView } from "@/features/results/results-view";
import { resultsSearch } from "@/features/results/search";

export const Route = createFileRoute("/tasks/$taskId/results")({
  validateSearch: resultsSearch,
  loader: ({ context, params }) => void context.queryClient.prefetchQuery(resultQuery(Number(params.taskId))),
  component: Page,
});

function Page() {
  const { taskId } = Route.useParams();
  return <ResultsView taskId={Number(taskId)} />;
}
