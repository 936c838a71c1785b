import { useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { taskQuery } from "@/api/tasks";
import { Overview } from "@/features/task/overview";

export const Route = createFileRoute("/tasks/$taskId/")({ component: Page });

function Page() {
  const { taskId } = Route.useParams();
  const { data } = useSuspenseQuery(taskQuery(Number(taskId)));
  return <Overview task={data} />;
}
