import type { Schema } from "@/api/client";
import { Badge, type Tone } from "@/components/ui/badge";

const TASK: Record<Schema<"TaskStatus">, [string, Tone]> = {
  pending: ["Pending", "neutral"],
  running: ["Running", "accent"],
  paused: ["Paused", "warn"],
  cancelling: ["Cancelling", "warn"],
  completed: ["Completed", "good"],
  failed: ["Failed", "bad"],
  cancelled: ["Cancelled", "neutral"],
};

const EXPERIMENT: Record<Schema<"ExperimentStatus">, [string, Tone]> = {
  pending: ["Pending", "neutral"],
  deploying: ["Starting", "accent"],
  benchmarking: ["Measuring", "accent"],
  success: ["Measured", "good"],
  failed: ["Failed", "bad"],
  cancelled: ["Cancelled", "neutral"],
  pruned: ["Stopped early", "warn"],
};

/** The state of a task in a word. A pending task in the queue is queued. */
export function TaskStatusBadge({ status, queued = false }: { status: Schema<"TaskStatus">; queued?: boolean }) {
  const [word, tone] = TASK[status];
  return <Badge tone={tone}>{status === "pending" && queued ? "Queued" : word}</Badge>;
}

/** The state of an experiment in a word. */
export function ExperimentStatusBadge({ status }: { status: Schema<"ExperimentStatus"> }) {
  const [word, tone] = EXPERIMENT[status];
  return <Badge tone={tone}>{word}</Badge>;
}

export const taskStatusWord = (status: Schema<"TaskStatus">): string => TASK[status][0];
export const experimentStatusWord = (status: Schema<"ExperimentStatus">): string => EXPERIMENT[status][0];
