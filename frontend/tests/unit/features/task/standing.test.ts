import { describe, expect, it } from "vitest";
import { standing, taskError } from "@/features/task/standing";

describe("standing", () => {
  it("says why a task waits before anything else", () => {
    const said = standing({ status: "pending", held: false, waiting: "the worker is busy", queued_at: "2026-01-01" });
    expect(said).toBe("It waits: the worker is busy.");
  });
  it("says that nobody runs a task that is running", () => {
    expect(standing({ status: "running", held: false, waiting: null })).toContain("No process runs it");
    expect(standing({ status: "running", held: true, waiting: null })).toBeNull();
  });
  it.each(["completed", "failed", "cancelled"] as const)("adds nothing to a task that is %s", (status) =>
    expect(standing({ status, held: false, waiting: null })).toBeNull(),
  );
});

describe("taskError", () => {
  it("takes the sentences that there are", () => {
    expect(taskError({ error: { code: "oom", what: "It died", why: "memory", remedy: null } })).toEqual({
      what: "It died",
      why: "memory",
      remedy: null,
    });
    expect(taskError({ error: { code: "oom" } })?.what).toBe("oom");
    expect(taskError({ error: null })).toBeNull();
  });
});
