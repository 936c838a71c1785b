// @vitest-environment node
import { describe, expect, it } from "vitest";
import { parseFrame } from "@/live/frames";

describe("parseFrame", () => {
  it("reads an event", () => {
    const text = JSON.stringify({
      seq: 4,
      type: "experiment_completed",
      task_id: 7,
      experiment_id: 31,
      timestamp: "2026-01-01T00:00:00Z",
      data: { objective_score: 2.5 },
      cursor: "abc",
    });
    expect(parseFrame(text)).toEqual({
      type: "experiment_completed",
      taskId: 7,
      experimentId: 31,
      cursor: "abc",
      message: null,
      data: { objective_score: 2.5 },
    });
  });

  it("reads a heartbeat, which has no task", () => {
    expect(parseFrame('{"type": "heartbeat", "cursor": "x"}')).toMatchObject({ taskId: null, cursor: "x", data: {} });
  });

  it.each(["", "[]", "null", "7", '{"task_id": 1}', '{"type": 3}', "{", new ArrayBuffer(2)])(
    "takes %s for none",
    (text) => expect(parseFrame(text)).toBeNull(),
  );

  it("takes a task that is no number for none", () => {
    expect(parseFrame('{"type": "task_started", "task_id": "1"}')?.taskId).toBeNull();
  });
});
