import { createFileRoute, useNavigate } from "@tanstack/react-router";
import { LogView } from "@/features/log/log-view";
import { logSearch } from "@/features/log/search";

export const Route = createFileRoute("/tasks/$taskId/log")({ validateSearch: logSearch, component: Page });

function Page() {
  const { taskId } = Route.useParams();
  const navigate = useNavigate({ from: Route.fullPath });
  return (
    <LogView
      taskId={Number(taskId)}
      search={Route.useSearch()}
      onSearch={(changes) => void navigate({ search: (before) => logSearch({ ...before, ...changes }), replace: true })}
    />
  );
}
