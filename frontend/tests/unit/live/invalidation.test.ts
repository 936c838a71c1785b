// @vitest-environment node
import { describe, expect, it } from "vitest";
import { keys } from "@/api/keys";
import type { Frame } from "@/live/frames";
import { affected, makesAllOld } from "@/live/invalidation";

const frame = (type: string, taskId: number | null = 7, experimentId: number | null = 31): Frame => ({
  type,
  taskId,
  experimentId,
  cursor: null,
  message: null,
  data: {},
});
const LISTS = [keys.experimentListsOf(7), keys.experimentListsOf(null)];

describe("affected", () => {
  it.each(["created", "updated", "started", "paused", "resumed", "completed", "failed", "cancelled", "deleted"])(
    "task_%s: lists and the task",
    (kind) => {
      const found = affected(frame(`task_${kind}`));
      expect(found).toEqual([keys.taskLists, keys.task(7), keys.dashboard]);
    },
  );

  it.each(["experiment_started", "benchmark_started"])("%s: experiments, not the task", (type) => {
    const found = affected(frame(type));
    expect(found).toEqual(expect.arrayContaining([...LISTS, keys.experiment(31)]));
    expect(found).not.toContainEqual(keys.task(7));
    expect(found).not.toContainEqual(keys.taskLists);
  });

  it.each(["completed", "failed", "pruned", "retried"])("experiment_%s: experiments and the task", (kind) => {
    const found = affected(frame(`experiment_${kind}`));
    expect(found).toEqual(expect.arrayContaining([...LISTS, keys.experiment(31), keys.task(7)]));
    expect(found).not.toContainEqual(keys.taskLists);
  });

  it.each(["task_progress", "experiment_progress", "benchmark_progress", "log_message", "heartbeat", "pong", "error"])(
    "%s: nothing",
    (type) => expect(affected(frame(type))).toEqual([]),
  );

  it("resync of a task: all of it; of everything: everything", () => {
    expect(affected(frame("resync", 7, null))).toEqual(
      expect.arrayContaining([keys.taskLists, keys.task(7), keys.experiments, ...LISTS]),
    );
    expect(makesAllOld(frame("resync", 7, null))).toBe(false);
    expect(makesAllOld(frame("resync", null, null))).toBe(true);
  });
});
