import { useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute, useNavigate } from "@tanstack/react-router";
import { useCallback } from "react";
import { taskQuery } from "@/api/tasks";
import { experimentsSearch, type SearchChanges } from "@/features/task-experiments/search";
import { TaskExperiments } from "@/features/task-experiments/task-experiments";

export const Route = createFileRoute("/tasks/$taskId/experiments")({
  validateSearch: experimentsSearch,
  component: Page,
});

function Page() {
  const { taskId } = Route.useParams();
  const { data } = useSuspenseQuery(taskQuery(Number(taskId)));
  const navigate = useNavigate({ from: Route.fullPath });
  const onSearch = useCallback(
    (changes: SearchChanges) =>
      void navigate({ search: (before) => experimentsSearch({ ...before, ...changes }), replace: true }),
    [navigate],
  );
  return <TaskExperiments task={data} search={Route.useSearch()} onSearch={onSearch} />;
}
