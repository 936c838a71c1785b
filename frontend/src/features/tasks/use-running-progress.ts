import type { TaskSummary } from "@/api/tasks";
import { type Progress, useTaskProgress } from "@/live/progress";

const RUNS: readonly TaskSummary["status"][] = ["running", "paused", "cancelling"];

/** How a task stands while it runs; what was said last before it ended is no news. */
export function useRunningProgress({ id, status }: Pick<TaskSummary, "id" | "status">): Progress | null {
  const progress = useTaskProgress(id);
  return RUNS.includes(status) ? progress : null;
}
