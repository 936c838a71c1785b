import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { keys } from "@/api/keys";
import { Live } from "@/live/live";

/** The other end of the page's socket: a real one cannot be cut off at a chosen instant. */
class OtherEnd {
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  constructor(readonly url: URL) {
    sockets.push(this);
  }
  close() {}
}

let sockets: OtherEnd[];
let client: QueryClient;
let live: Live;
let end: () => void;
let calls: number;
let unsubscribe: () => void;

const socket = () => sockets.at(-1) as OtherEnd;
const say = (frame: object) => socket().onmessage?.({ data: JSON.stringify(frame) });
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const hide = (hidden: boolean) => {
  vi.spyOn(document, "hidden", "get").mockReturnValue(hidden);
  document.dispatchEvent(new Event("visibilitychange"));
};

beforeEach(async () => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", OtherEnd);
  sockets = [];
  calls = 0;
  client = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY, retry: false } } });
  unsubscribe = new QueryObserver(client, {
    queryKey: keys.taskList({}),
    queryFn: async () => {
      calls += 1;
      return { items: [{ status: "running", queued_at: null }] };
    },
  }).subscribe(() => {});
  live = new Live(client);
  end = live.run();
  await pass(0);
});
afterEach(() => {
  end();
  unsubscribe();
  client.clear();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** The link is live, and what was asked before is forgotten. */
async function connected() {
  say({ type: "heartbeat", cursor: "a" });
  await pass(2000);
  calls = 0;
}

describe("Live", () => {
  it("asks again for what was answered before the stream began", async () => {
    expect(calls).toBe(1);
    say({ type: "heartbeat", cursor: "a" });
    await pass(2000);
    expect(calls).toBe(2);
  });

  it("asks for nothing while nothing happens, and shows progress without asking", async () => {
    await connected();
    for (let second = 0; second < 60; second += 1) {
      await pass(1000);
      say({ type: "task_progress", task_id: 1, cursor: "b", data: { progress_percent: second } });
      if (second % 15 === 0) say({ type: "heartbeat", cursor: "b" });
    }
    expect(calls).toBe(0);
    expect(client.getQueryData(keys.progress(1))).toMatchObject({ percent: 59 });
  });

  it("asks when a task changed", async () => {
    await connected();
    say({ type: "task_completed", task_id: 1, cursor: "b" });
    await pass(2000);
    expect(calls).toBe(1);
  });

  it("asks every 30 s without a link while something runs, and stops when it is back", async () => {
    await connected();
    socket().onclose?.();
    await pass(31_000);
    expect(calls).toBe(1);
    await pass(30_000);
    expect(calls).toBe(2);
    live.link.start();
    say({ type: "heartbeat", cursor: "b" });
    calls = 0;
    for (let minute = 0; minute < 3; minute += 1) {
      await pass(30_000);
      say({ type: "heartbeat", cursor: "b" });
    }
    expect(calls).toBeLessThanOrEqual(1);
  });

  it("asks for nothing while it is hidden, and goes on from its cursor", async () => {
    await connected();
    hide(true);
    say({ type: "task_completed", task_id: 1, cursor: "b" });
    await pass(29_000);
    expect(live.link.current().kind).toBe("live");
    await pass(600_000);
    expect([live.link.current().kind, calls]).toEqual(["paused", 0]);
    hide(false);
    expect(socket().url.searchParams.get("since")).toBe("b");
    await pass(1000);
    expect(calls).toBe(1);
  });
});
