import { createFileRoute } from "@tanstack/react-router";
import { NewTask } from "@/features/task-form/new-task";
import { taskFormSearch } from "@/features/task-form/search";

export const Route = createFileRoute("/tasks/new")({ validateSearch: taskFormSearch, component: Page });

function Page() {
  const search = Route.useSearch();
  const navigate = Route.useNavigate();
  return (
    <NewTask
      search={search}
      onSearch={(change) => void navigate({ search: (now) => ({ ...now, ...change }), replace: true })}
    />
  );
}
