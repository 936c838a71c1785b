import { useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute, useNavigate } from "@tanstack/react-router";
import { taskQuery } from "@/api/tasks";
import { ConfigurationView } from "@/features/task-configuration/configuration-view";
import { configurationSearch } from "@/features/task-configuration/search";

export const Route = createFileRoute("/tasks/$taskId/configuration")({
  validateSearch: configurationSearch,
  component: Page,
});

function Page() {
  const { taskId } = Route.useParams();
  const { data } = useSuspenseQuery(taskQuery(Number(taskId)));
  const navigate = useNavigate({ from: Route.fullPath });
  return (
    <ConfigurationView
      task={data}
      search={Route.useSearch()}
      onSearch={(changes) =>
        void navigate({ search: (before) => configurationSearch({ ...before, ...changes }), replace: true })
      }
    />
  );
}
