import { createFileRoute, useNavigate } from "@tanstack/react-router";
import { useCallback } from "react";
import { taskListQuery } from "@/api/task-list";
import { PageHead } from "@/components/layout/page-head";
import { asked, type SearchChanges, tasksSearch } from "@/features/tasks/search";
import { TasksView } from "@/features/tasks/tasks-view";

export const Route = createFileRoute("/tasks/")({
  validateSearch: tasksSearch,
  loaderDeps: ({ search }) => asked(search),
  loader: ({ context, deps }) => void context.queryClient.prefetchQuery(taskListQuery(deps)),
  component: Page,
});

function Page() {
  const navigate = useNavigate({ from: Route.fullPath });
  const onSearch = useCallback(
    (changes: SearchChanges) =>
      void navigate({ search: (before) => tasksSearch({ ...before, ...changes }), replace: true }),
    [navigate],
  );
  return (
    <>
      <PageHead title="Tasks" />
      <TasksView search={Route.useSearch()} onSearch={onSearch} />
    </>
  );
}
