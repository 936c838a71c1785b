import type { TaskView } from "@/api/tasks";
import { TabLinks } from "@/components/ui/tab-links";
import { experimentCount } from "@/features/task-actions/availability";

/** The parts of a task's page. */
export function TaskTabs({ task }: { task: TaskView }) {
  const params = { taskId: String(task.id) };
  return (
    <TabLinks
      label="Parts of the task"
      tabs={[
        { label: "Overview", to: "/tasks/$taskId", params, exact: true },
        { label: "Experiments", to: "/tasks/$taskId/experiments", params, count: experimentCount(task) || undefined },
        { label: "Results", to: "/tasks/$taskId/results", params },
        { label: "Configuration", to: "/tasks/$taskId/configuration", params },
        { label: "Log", to: "/tasks/$taskId/log", params },
      ]}
    />
  );
}
