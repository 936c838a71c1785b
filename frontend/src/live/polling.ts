import type { QueryClient } from "@tanstack/react-query";
import type { Schema } from "@/api/client";
import { keys } from "@/api/keys";

const RUNNING_MS = 30_000;
const IDLE_MS = 300_000;
const MOVING: ReadonlySet<string> = new Set(["running", "cancelling"]);

/** How often is asked while no events come: 30 s when something runs, else 5 min. */
export function pollEvery(client: QueryClient): number {
  return somethingRuns(client) ? RUNNING_MS : IDLE_MS;
}

/** Whether the answers that are known tell of a task that runs or waits to run. */
function somethingRuns(client: QueryClient): boolean {
  const dashboard = client.getQueryData<Schema<"Dashboard">>(keys.dashboard);
  const counts = dashboard?.counts;
  if (counts && (counts.waiting > 0 || counts.claimed > 0 || [...MOVING].some((one) => counts.tasks[one]))) return true;
  const lists = client.getQueriesData<Schema<"Page_TaskSummary_">>({ queryKey: keys.taskLists });
  if (lists.some(([, page]) => page?.items?.some(moves))) return true;
  const tasks = client.getQueriesData<unknown>({ queryKey: keys.tasks });
  return tasks.some(([, task]) => typeof task === "object" && task !== null && "status" in task && moves(task));
}

function moves(task: { status?: unknown; queued_at?: unknown }): boolean {
  return (typeof task.status === "string" && MOVING.has(task.status)) || (task.queued_at ?? null) !== null;
}
