// @vitest-environment node
import { QueryClient } from "@tanstack/react-query";
import { describe, expect, it } from "vitest";
import { keys } from "@/api/keys";
import { pollEvery } from "@/live/polling";

describe("pollEvery", () => {
  it("asks rarely while nothing runs", () => {
    const client = new QueryClient();
    expect(pollEvery(client)).toBe(300_000);
    client.setQueryData(keys.taskList({}), { items: [{ status: "completed", queued_at: null }] });
    expect(pollEvery(client)).toBe(300_000);
  });

  it.each([
    { status: "running", queued_at: null },
    { status: "cancelling", queued_at: null },
    { status: "pending", queued_at: "2026-01-01T00:00:00Z" },
  ])("asks more often for %o", (task) => {
    const client = new QueryClient();
    client.setQueryData(keys.taskList({}), { items: [task] });
    expect(pollEvery(client)).toBe(30_000);
    const other = new QueryClient();
    other.setQueryData(keys.taskPart(1, "shown"), task);
    expect(pollEvery(other)).toBe(30_000);
  });
});
