import type { TaskSummary } from "@/api/tasks";

/** What can be done with a task, by the name of the call. */
export type TaskAction =
  | "start"
  | "resume"
  | "pause"
  | "cancel"
  | "retry"
  | "edit"
  | "rename"
  | "duplicate"
  | "export"
  | "archive"
  | "restart"
  | "clear"
  | "delete"
  | "restore"
  | "purge";

/** What is to be known of a task: a line of the list is enough, and the whole task tells more. */
export type ActionableTask = Pick<
  TaskSummary,
  "id" | "name" | "status" | "next_seq" | "queued_at" | "run_of" | "archived_at" | "deleted_at" | "experiments"
> & {
  /** Whether a process runs it; undefined: not known. */
  held?: boolean;
};

const ENDED: readonly string[] = ["completed", "failed", "cancelled"];

/** How many experiments of a task there are. */
export const experimentCount = (task: Pick<ActionableTask, "experiments">): number =>
  Object.values(task.experiments ?? {}).reduce((sum, count) => sum + count, 0);

/**
 * What the state of a task allows, in the order in which it is offered. The service decides: a state that has changed
 * meanwhile is answered with 409, which the page shows.
 */
export function actionsOf(task: ActionableTask): readonly TaskAction[] {
  if (task.deleted_at) return ["restore", "purge"];
  if (task.run_of || task.archived_at) return ["duplicate", "export", "archive", "delete"];
  const { status } = task;
  const queued = Boolean(task.queued_at);
  const failed = task.experiments?.failed ?? 0;
  const ended = ENDED.includes(status) && !queued;
  const resting = ended || (status === "pending" && !queued);
  const abandoned = task.held === false && !queued;
  const allowed: Record<TaskAction, boolean> = {
    start:
      (status === "pending" && !queued) ||
      (status === "cancelled" && ended) ||
      (status === "failed" && ended && failed === 0) ||
      (status === "running" && abandoned),
    resume: status === "paused",
    pause: status === "running" && !abandoned,
    cancel:
      status === "running" ||
      status === "paused" ||
      (status === "pending" && queued) ||
      (status === "cancelling" && task.held === false),
    retry: failed > 0 && status !== "cancelling",
    edit: resting,
    rename: resting,
    duplicate: true,
    export: true,
    archive: resting,
    restart: ended && experimentCount(task) > 0,
    clear: ended && experimentCount(task) > 0,
    delete: resting || status === "paused" || (task.held === false && status !== "pending"),
    restore: false,
    purge: false,
  };
  return (Object.keys(allowed) as TaskAction[]).filter((action) => allowed[action]);
}

/** Those that stand as buttons: what drives the task on, then what holds it. At most two. */
export const PROMINENT: readonly TaskAction[] = ["start", "resume", "retry", "pause", "cancel", "restore"];
