import type { TaskView } from "@/api/tasks";
import { TabLinks } from "@/components/ui/tab-links";

/** The parts of a task's page. */
export function TaskTabs({ task }: { task: TaskView }) {
  const params = { taskId: String(task.id) };
  return (
    <TabLinks
      label="Parts of the task"
      tabs={[
        { label: "Overview", to: "/tasks/$taskId", params, exact: true },
        { label: "Results", to: "/tasks/$taskId/results", params },
      ]}
    />
  );
}
