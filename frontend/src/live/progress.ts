import { type QueryClient, skipToken, useQuery } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { type Frame, numberOf, textOf } from "@/live/frames";

/** How a running task stands, as it says itself. Null: not known. */
export interface Progress {
  /** What it does: baseline, references, search, confirm. */
  stage: string | null;
  /** Server starts that are planned. */
  total: number | null;
  /** Experiments that have been measured. */
  successful: number | null;
  percent: number | null;
  eta_s: number | null;
  /** Scores in `unit`; `gain`: how much better the best is, a share, positive is better. */
  best: number | null;
  baseline: number | null;
  gain: number | null;
  unit: string | null;
  /** Figures are predictions. */
  predicted: boolean;
  /** The experiment that is under way, its phase, and the running figures of its window. */
  experiment: number | null;
  phase: string | null;
  reason: string | null;
  figures: Record<string, unknown> | null;
}

const ENDS = new Set(["task_started", "task_completed", "task_failed", "task_cancelled", "task_deleted"]);
const NOTHING: Progress = {
  stage: null,
  total: null,
  successful: null,
  percent: null,
  eta_s: null,
  best: null,
  baseline: null,
  gain: null,
  unit: null,
  predicted: false,
  experiment: null,
  phase: null,
  reason: null,
  figures: null,
};

/** What is known after a frame; null: nothing any more. Pure. */
export function progressAfter(before: Progress | null, frame: Frame): Progress | null {
  const { type, data } = frame;
  if (ENDS.has(type) || type === "resync") return null;
  const known = before ?? NOTHING;
  if (type === "task_progress") {
    const experiment = numberOf(data.current_experiment);
    const same = experiment === known.experiment;
    return {
      ...known,
      ...(same ? {} : { phase: null, reason: null, figures: null }),
      experiment,
      stage: textOf(data.stage),
      total: numberOf(data.total_experiments),
      successful: numberOf(data.successful_experiments),
      percent: numberOf(data.progress_percent),
      eta_s: numberOf(data.eta_s),
      best: numberOf(data.best_score),
      baseline: numberOf(data.baseline_score),
      gain: numberOf(data.gain),
      unit: textOf(data.unit),
      predicted: data.predicted === true,
    };
  }
  if (type === "experiment_progress") {
    const phase = textOf(data.phase);
    const same = phase === known.phase;
    return {
      ...known,
      ...(same ? {} : { figures: null }),
      experiment: numberOf(data.number),
      phase,
      reason: textOf(data.reason),
    };
  }
  if (type === "benchmark_progress") return { ...known, figures: data };
  return before;
}

/** Keep what a frame says of its task's progress. */
export function keepProgress(client: QueryClient, frame: Frame): void {
  if (frame.taskId === null) {
    if (frame.type === "resync") client.setQueriesData({ queryKey: keys.progresses }, null);
    return;
  }
  const key = keys.progress(frame.taskId);
  const before = client.getQueryData<Progress | null>(key) ?? null;
  const after = progressAfter(before, frame);
  if (after !== before) client.setQueryData<Progress | null>(key, after);
}

/** How a task stands now; null while it does not run, or nothing was said yet. Costs no request. */
export function useTaskProgress(taskId: number): Progress | null {
  const { data } = useQuery<Progress | null>({ queryKey: keys.progress(taskId), queryFn: skipToken });
  return data ?? null;
}
