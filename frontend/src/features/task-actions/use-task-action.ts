import { useMutation, useQueryClient } from "@tanstack/react-query";
import { toast } from "sonner";
import { keys } from "@/api/keys";
import { Problem } from "@/api/problem";
import {
  cancelTask,
  clearTask,
  deleteTask,
  duplicateTask,
  pauseTask,
  purgeTask,
  renameTask,
  restartTask,
  restoreTask,
  resumeTask,
  retryTask,
  startTask,
} from "@/api/tasks";
import type { ActionableTask, TaskAction } from "@/features/task-actions/availability";
import { doneOf } from "@/features/task-actions/wording";

/** Actions that are one call. */
export type CalledAction = Exclude<TaskAction, "edit" | "export" | "archive">;

export interface Order {
  action: CalledAction;
  task: ActionableTask;
  /** Of a copy, or the new one. */
  name?: string;
}

interface Done {
  /** The task that was made by a copy. */
  made?: number;
  /** The number that `restore` takes to undo it. */
  undo?: number;
}

async function carryOut({ action, task, name }: Order): Promise<Done> {
  switch (action) {
    case "start":
      await startTask(task.id);
      return {};
    case "resume":
      await resumeTask(task.id);
      return {};
    case "pause":
      await pauseTask(task.id);
      return {};
    case "cancel":
      await cancelTask(task.id);
      return {};
    case "retry":
      await retryTask(task.id);
      return {};
    case "rename":
      await renameTask(task.id, name ?? task.name, task.next_seq);
      return {};
    case "duplicate":
      return { made: (await duplicateTask(task.id, name ?? `${task.name}_copy`)).id };
    case "restart":
      await restartTask(task.id);
      return {};
    case "clear":
      return { undo: (await clearTask(task.id)).archived_run };
    case "delete":
      await deleteTask(task.id);
      return { undo: task.id };
    case "restore":
      await restoreTask(task.id);
      return {};
    case "purge":
      await purgeTask(task.id);
      return {};
  }
}

/** What went wrong, as a message: what happened, then why and what to do. */
export function tellFailure(error: Error): void {
  const details = error instanceof Problem ? error.details : null;
  const more = [details?.why, details?.remedy].filter(Boolean).join(". ");
  toast.error(error.message, more ? { description: more } : {});
}

/** Those that ask for a name, which shows what is wrong with it. */
export const NAMING: readonly TaskAction[] = ["duplicate", "rename"];

/** Does one of a task's actions and says so; what was deleted can be taken back from the message. */
export function useTaskAction() {
  const queries = useQueryClient();
  const changed = (id: number) =>
    Promise.all([
      queries.invalidateQueries({ queryKey: keys.task(id) }),
      queries.invalidateQueries({ queryKey: keys.taskLists }),
      queries.invalidateQueries({ queryKey: keys.experimentLists }),
      queries.invalidateQueries({ queryKey: keys.dashboard }),
    ]);
  return useMutation({
    mutationFn: carryOut,
    onSuccess: (done, { action, task }) => {
      const { undo } = done;
      toast.success(doneOf(action, task), {
        ...(undo !== undefined && {
          duration: 10_000,
          action: {
            label: "Undo",
            onClick: () => {
              restoreTask(undo).then(() => {
                toast.success(action === "clear" ? "The experiments are back, as an archived run" : "It is back");
                return changed(task.id);
              }, tellFailure);
            },
          },
        }),
      });
    },
    onError: (error, { action }) => {
      if (!NAMING.includes(action)) tellFailure(error);
    },
    onSettled: (_done, error, { action, task }) => {
      if (action === "delete" && !error) {
        // Its page is left: to ask for it again would be a 404.
        queries.removeQueries({ queryKey: keys.task(task.id), type: "inactive" });
        return Promise.all([
          queries.invalidateQueries({ queryKey: keys.taskLists }),
          queries.invalidateQueries({ queryKey: keys.dashboard }),
        ]);
      }
      return changed(task.id);
    },
  });
}
