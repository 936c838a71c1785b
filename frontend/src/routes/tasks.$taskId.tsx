import { useQuery } from "@tanstack/react-query";
import { createFileRoute, notFound, Outlet } from "@tanstack/react-router";
import { taskQuery } from "@/api/tasks";
import { QueryStates } from "@/components/states/states";
import { TaskHead } from "@/features/task/task-head";
import { TaskTabs } from "@/features/task/task-tabs";

export const Route = createFileRoute("/tasks/$taskId")({
  params: {
    parse: ({ taskId }) => {
      if (!/^[1-9]\d{0,15}$/.test(taskId)) throw notFound();
      return { taskId };
    },
    stringify: ({ taskId }) => ({ taskId }),
  },
  loader: ({ context, params }) => void context.queryClient.prefetchQuery(taskQuery(Number(params.taskId))),
  component: Page,
});

function Page() {
  const { taskId } = Route.useParams();
  const task = useQuery(taskQuery(Number(taskId)));
  return (
    <QueryStates query={task} lines={6}>
      {(shown) => (
        <>
          <TaskHead task={shown} />
          <TaskTabs task={shown} />
          <Outlet />
        </>
      )}
    </QueryStates>
  );
}
