import { createFileRoute, notFound } from "@tanstack/react-router";
import { EditTask } from "@/features/task-form/edit-task";
import { taskFormSearch } from "@/features/task-form/search";

export const Route = createFileRoute("/tasks/$taskId_/edit")({
  validateSearch: taskFormSearch,
  params: {
    parse: ({ taskId }) => {
      if (!/^\d{1,18}$/.test(taskId)) throw notFound();
      return { taskId: Number(taskId) };
    },
    stringify: ({ taskId }) => ({ taskId: String(taskId) }),
  },
  component: Page,
});

function Page() {
  const { taskId } = Route.useParams();
  const search = Route.useSearch();
  const navigate = Route.useNavigate();
  return (
    <EditTask
      key={taskId}
      taskId={taskId}
      search={search}
      onSearch={(change) => void navigate({ search: (now) => ({ ...now, ...change }), replace: true })}
    />
  );
}
