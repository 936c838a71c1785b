import type { QueryKey } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import type { Frame } from "@/live/frames";

/** What changes while tasks run: asked again when the link is down. */
export const CHANGING: readonly QueryKey[] = [
  keys.taskLists,
  keys.tasks,
  keys.experimentLists,
  keys.experiments,
  keys.comparisons,
  keys.dashboard,
];

/**
 * The answers that an event makes old, as prefixes of query keys.
 *
 * Notices (`*_progress`, `log_message`) change nothing that a call would answer: what they say is shown as it is.
 */
export function affected(frame: Frame): readonly QueryKey[] {
  const { type, taskId, experimentId } = frame;
  if (taskId === null || type.endsWith("_progress")) return [];
  const task = keys.task(taskId);
  if (type.startsWith("task_") || type === "resync") {
    const lists = [keys.taskLists, task, keys.dashboard];
    return type === "resync" ? [...lists, ...experimentsOf(taskId, null)] : lists;
  }
  if (type === "experiment_started" || type.startsWith("benchmark_")) return experimentsOf(taskId, experimentId);
  if (type.startsWith("experiment_")) return [...experimentsOf(taskId, experimentId), task, keys.dashboard];
  return [];
}

/** Whether everything is old: a resync that names no task. */
export function makesAllOld(frame: Frame): boolean {
  return frame.type === "resync" && frame.taskId === null;
}

function experimentsOf(taskId: number, experimentId: number | null): readonly QueryKey[] {
  const lists = [keys.experimentListsOf(taskId), keys.experimentListsOf(null), keys.comparisons];
  return [...lists, experimentId === null ? keys.experiments : keys.experiment(experimentId)];
}
