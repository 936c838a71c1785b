import { describe, expect, it } from "vitest";
import { type ActionableTask, actionsOf } from "@/features/task-actions/availability";
import { questionOf } from "@/features/task-actions/wording";

const task = (changes: Partial<ActionableTask>): ActionableTask => ({
  id: 1,
  name: "chat",
  status: "pending",
  next_seq: 3,
  queued_at: null,
  run_of: null,
  archived_at: null,
  deleted_at: null,
  experiments: {},
  ...changes,
});
const QUEUED = "2026-01-01T00:00:00Z";

describe("actionsOf", () => {
  it("lets a new task be started, changed and deleted", () => {
    const allowed = actionsOf(task({}));
    expect(allowed).toEqual(["start", "edit", "rename", "duplicate", "export", "archive", "delete"]);
  });

  it("lets a queued task only leave the queue", () => {
    const allowed = actionsOf(task({ queued_at: QUEUED }));
    expect(allowed).toEqual(["cancel", "duplicate", "export"]);
  });

  it("lets a running task be paused and cancelled, and neither edited nor deleted", () => {
    const allowed = actionsOf(task({ status: "running", queued_at: QUEUED, held: true }));
    expect(allowed).toEqual(["pause", "cancel", "duplicate", "export"]);
  });

  it("lets a task whose process has gone be started or deleted", () => {
    const allowed = actionsOf(task({ status: "running", held: false }));
    expect(allowed).toContain("start");
    expect(allowed).toContain("delete");
    expect(allowed).not.toContain("pause");
  });

  it("lets a paused task go on", () => {
    expect(actionsOf(task({ status: "paused", queued_at: QUEUED })).slice(0, 2)).toEqual(["resume", "cancel"]);
  });

  it("offers failed experiments again in place of a start that would do the same", () => {
    const allowed = actionsOf(task({ status: "failed", experiments: { failed: 2 } }));
    expect(allowed).toContain("retry");
    expect(allowed).not.toContain("start");
    expect(actionsOf(task({ status: "failed" }))).toContain("start");
  });

  it("lets an ended task begin anew only when it has done something", () => {
    expect(actionsOf(task({ status: "cancelled" }))).not.toContain("restart");
    const ended = actionsOf(task({ status: "completed", experiments: { success: 3 } }));
    expect(ended).toEqual(expect.arrayContaining(["restart", "clear", "delete", "archive"]));
    expect(ended).not.toContain("start");
  });

  it("lets an archived run only be looked at, taken away, copied and deleted", () => {
    const run = actionsOf(task({ status: "completed", run_of: 7, experiments: { success: 3, failed: 1 } }));
    expect(run).toEqual(["duplicate", "export", "archive", "delete"]);
  });

  it("lets a deleted task come back or go for ever", () => {
    expect(actionsOf(task({ status: "completed", deleted_at: QUEUED }))).toEqual(["restore", "purge"]);
  });

  it("ends what was left behind once more only when nobody does it", () => {
    expect(actionsOf(task({ status: "cancelling", held: false }))).toContain("cancel");
    expect(actionsOf(task({ status: "cancelling", held: true }))).not.toContain("cancel");
    expect(actionsOf(task({ status: "cancelling" }))).not.toContain("cancel");
  });
});

describe("questionOf", () => {
  it("says how much is at stake", () => {
    const question = questionOf("clear", task({ status: "completed", experiments: { success: 1 } }));
    expect(question?.consequences[0]).toContain("1 experiment,");
    expect(question?.danger).toBe(true);
  });

  it("asks nothing before what can be taken back", () => {
    for (const action of ["start", "pause", "resume", "retry", "delete", "restore"] as const)
      expect(questionOf(action, task({}))).toBeNull();
  });

  it("tells a task in the queue from one that runs", () => {
    expect(questionOf("cancel", task({ queued_at: QUEUED }))?.title).toContain("out of the queue");
    expect(questionOf("cancel", task({ status: "running" }))?.danger).toBe(true);
  });
});
