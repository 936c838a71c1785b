// @vitest-environment node
import { describe, expect, it } from "vitest";
import type { Frame } from "@/live/frames";
import { progressAfter } from "@/live/progress";

const frame = (type: string, data: Record<string, unknown> = {}): Frame => ({
  type,
  taskId: 7,
  experimentId: null,
  cursor: null,
  message: null,
  data,
});
const SAID = {
  current_experiment: 3,
  total_experiments: 12,
  successful_experiments: 2,
  progress_percent: 25,
  best_score: 110,
  baseline_score: 100,
  gain: 0.1,
  unit: "tokens/s",
  eta_s: 60,
  stage: "search",
  predicted: false,
};

describe("progressAfter", () => {
  it("keeps what is said of the task, the phase and the window", () => {
    let known = progressAfter(null, frame("task_progress", SAID));
    known = progressAfter(known, frame("experiment_progress", { number: 3, phase: "measuring", reason: "first" }));
    known = progressAfter(known, frame("benchmark_progress", { completed: 40 }));
    expect(known).toMatchObject({
      percent: 25,
      best: 110,
      baseline: 100,
      gain: 0.1,
      eta_s: 60,
      experiment: 3,
      phase: "measuring",
      figures: { completed: 40 },
    });
  });

  it("forgets the window of an experiment that is over", () => {
    let known = progressAfter(null, frame("task_progress", SAID));
    known = progressAfter(known, frame("benchmark_progress", { completed: 40 }));
    known = progressAfter(known, frame("task_progress", { ...SAID, current_experiment: 4 }));
    expect(known).toMatchObject({ experiment: 4, phase: null, figures: null });
  });

  it("says nothing where nothing was said", () => {
    expect(progressAfter(null, frame("task_progress"))).toMatchObject({ percent: null, best: null, predicted: false });
    expect(progressAfter(null, frame("experiment_completed"))).toBeNull();
  });

  it.each(["task_completed", "task_failed", "task_cancelled", "task_started", "resync"])("forgets all: %s", (type) =>
    expect(progressAfter(progressAfter(null, frame("task_progress", SAID)), frame(type))).toBeNull(),
  );

  it("stays the same object where nothing changes, so nothing is drawn anew", () => {
    const known = progressAfter(null, frame("task_progress", SAID));
    expect(progressAfter(known, frame("experiment_started"))).toBe(known);
  });
});
