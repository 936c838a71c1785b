import type { TaskView } from "@/api/tasks";

/** What a task failed of, as the service says it. */
export interface TaskError {
  what: string;
  why: string | null;
  remedy: string | null;
}

const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);

export function taskError(task: Pick<TaskView, "error">): TaskError | null {
  if (!task.error) return null;
  const { error } = task;
  return {
    what: text(error.what) ?? text(error.detail) ?? text(error.code) ?? "It failed",
    why: text(error.why),
    remedy: text(error.remedy),
  };
}

/** One sentence on how a task stands, where its state alone does not say it. Null: nothing more is to be said. */
export function standing(task: Pick<TaskView, "status" | "held" | "waiting" | "queued_at">): string | null {
  if (task.waiting) return `It waits: ${task.waiting}.`;
  switch (task.status) {
    case "pending":
      return "It was not started yet.";
    case "running":
      return task.held ? null : "No process runs it now. A worker takes it over, or start it again.";
    case "paused":
      return task.held ? "It starts nothing more until it is resumed." : "It is paused, and no process holds it.";
    case "cancelling":
      return task.held
        ? "Its worker ends the server that runs."
        : "The process that ran it is gone. Cancel it again, which ends what was left behind.";
    default:
      return null;
  }
}
