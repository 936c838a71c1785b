// @vitest-environment node
import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Refreshing } from "@/live/refreshing";

let client: QueryClient;
let refreshing: Refreshing;
let calls: number;
let answer: () => void;
let unsubscribe: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  client = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY, retry: false } } });
  refreshing = new Refreshing(client);
  calls = 0;
  const observer = new QueryObserver(client, {
    queryKey: ["task-lists", {}],
    queryFn: () =>
      new Promise<number>((resolve) => {
        calls += 1;
        answer = () => resolve(calls);
      }),
  });
  unsubscribe = observer.subscribe(() => {});
});
afterEach(() => {
  unsubscribe();
  refreshing.stop();
  client.clear();
  vi.useRealTimers();
});

const answered = async () => {
  answer();
  await vi.advanceTimersByTimeAsync(0);
};

describe("Refreshing", () => {
  it("asks once for many events", async () => {
    await answered();
    for (let number = 0; number < 20; number += 1) refreshing.add([["task-lists"], ["tasks", number]]);
    await vi.advanceTimersByTimeAsync(300);
    expect(calls).toBe(2);
  });

  it("asks at most once a second", async () => {
    await answered();
    for (let number = 0; number < 10; number += 1) {
      refreshing.add([["task-lists"]]);
      await vi.advanceTimersByTimeAsync(300);
      await answered();
    }
    expect(calls).toBeLessThanOrEqual(5);
  });

  it("asks again after an answer that was under way", async () => {
    refreshing.add([["task-lists"]]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(calls).toBe(1);
    await answered();
    await vi.advanceTimersByTimeAsync(1500);
    expect(calls).toBe(2);
  });

  it("asks for nothing while it is held, and for all of it afterwards", async () => {
    await answered();
    refreshing.hold(true);
    refreshing.add([["task-lists"]]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(calls).toBe(1);
    refreshing.hold(false);
    await vi.advanceTimersByTimeAsync(300);
    expect(calls).toBe(2);
  });
});
