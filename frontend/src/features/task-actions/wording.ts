import {
  Archive,
  ArchiveRestore,
  CirclePlay,
  Copy,
  Download,
  Eraser,
  type LucideIcon,
  Pause,
  PenLine,
  Play,
  Repeat,
  RotateCcw,
  Square,
  SquarePen,
  Trash2,
  XCircle,
} from "lucide-react";
import { type ActionableTask, experimentCount, type TaskAction } from "@/features/task-actions/availability";

export const LABELS: Record<TaskAction, { label: string; icon: LucideIcon }> = {
  start: { label: "Start", icon: Play },
  resume: { label: "Resume", icon: CirclePlay },
  pause: { label: "Pause", icon: Pause },
  cancel: { label: "Cancel", icon: Square },
  retry: { label: "Retry failed", icon: Repeat },
  edit: { label: "Edit", icon: SquarePen },
  rename: { label: "Rename", icon: PenLine },
  duplicate: { label: "Duplicate", icon: Copy },
  export: { label: "Export", icon: Download },
  archive: { label: "Export archive", icon: Archive },
  restart: { label: "Restart from nothing", icon: RotateCcw },
  clear: { label: "Clear experiments", icon: Eraser },
  delete: { label: "Delete", icon: Trash2 },
  restore: { label: "Restore", icon: ArchiveRestore },
  purge: { label: "Remove for ever", icon: XCircle },
};

/** What is asked before, as what will happen. Actions that are not here ask nothing: they can be taken back. */
export interface Question {
  title: string;
  /** Whole sentences. */
  consequences: readonly string[];
  /** The button that does it. */
  confirm: string;
  danger: boolean;
}

const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;

export function questionOf(action: TaskAction, task: ActionableTask): Question | null {
  const experiments = counted(experimentCount(task), "experiment");
  switch (action) {
    case "cancel":
      return task.status === "pending"
        ? {
            title: `Take ${task.name} out of the queue?`,
            consequences: ["It has not begun, so nothing is lost.", "It can be started again."],
            confirm: "Cancel the task",
            danger: false,
          }
        : {
            title: `Cancel ${task.name}?`,
            consequences: [
              "The worker ends the server that runs now. The measurement under way is lost.",
              `What was measured stays: ${experiments} so far.`,
              "Started again, it goes on where it stands.",
            ],
            confirm: "Cancel the task",
            danger: true,
          };
    case "restart":
      return {
        title: `Begin ${task.name} from nothing?`,
        consequences: [
          `Its ${experiments}, its result and its logs become an archived run, which can still be looked at.`,
          "It is queued at once and measures everything anew.",
        ],
        confirm: "Archive and restart",
        danger: false,
      };
    case "clear":
      return {
        title: `Clear the experiments of ${task.name}?`,
        consequences: [
          `${experiments}, the result and the logs are deleted. For 30 days they can be restored as an archived run.`,
          "The task is pending then, with its document as it is.",
        ],
        confirm: "Clear experiments",
        danger: true,
      };
    case "purge":
      return {
        title: `Remove ${task.name} for ever?`,
        consequences: ["Its experiments, archived runs, logs and files are removed. Nothing brings them back."],
        confirm: "Remove for ever",
        danger: true,
      };
    default:
      return null;
  }
}

/** What is said when it is done. */
export function doneOf(action: TaskAction, task: ActionableTask): string {
  const failed = counted(task.experiments?.failed ?? 0, "failed experiment");
  const said: Record<TaskAction, string> = {
    start: `${task.name} is in the queue`,
    resume: `${task.name} goes on`,
    pause: `${task.name} pauses when the server start under way has ended`,
    cancel: task.status === "pending" ? `${task.name} left the queue` : `${task.name} is being cancelled`,
    retry: `${failed} of ${task.name} will be tried again`,
    edit: "",
    rename: "The task was renamed",
    duplicate: `${task.name} was copied`,
    export: "",
    archive: "",
    restart: `${task.name} begins from nothing`,
    clear: `The experiments of ${task.name} were cleared`,
    delete: `${task.name} was deleted`,
    restore: `${task.name} was restored`,
    purge: `${task.name} was removed for ever`,
  };
  return said[action];
}
