// @vitest-environment node
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Frame } from "@/live/frames";
import { Link } from "@/live/link";
import { PROFILES } from "@/live/profiles";

/** A socket whose other end is the test: a real one cannot be cut off at a chosen instant. */
class OtherEnd {
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  closed = false;
  constructor(readonly since: string | null) {}
  close() {
    this.closed = true;
  }
  say(frame: object) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
}

let sockets: OtherEnd[];
let frames: Frame[];
let fresh: number;
let link: Link;
const last = () => sockets.at(-1) as OtherEnd;

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  frames = [];
  fresh = 0;
  link = new Link({
    open: (since) => {
      const socket = new OtherEnd(since);
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    profile: () => PROFILES.local,
    random: () => 0.5,
    onFrame: (frame) => frames.push(frame),
    onFresh: () => {
      fresh += 1;
    },
  });
});
afterEach(() => {
  link.pause();
  vi.useRealTimers();
});

describe("Link", () => {
  it("is live with the first frame, and begins with the present", () => {
    link.start();
    expect(link.current().kind).toBe("connecting");
    last().say({ type: "heartbeat", cursor: "a" });
    expect(link.current().kind).toBe("live");
    expect([last().since, fresh, frames.length]).toEqual([null, 1, 1]);
  });

  it("goes on from the cursor of the last frame", () => {
    link.start();
    last().say({ type: "heartbeat", cursor: "a" });
    last().say({ type: "task_started", task_id: 1, cursor: "b" });
    last().onclose?.();
    expect(link.current()).toMatchObject({ kind: "waiting", attempt: 1, attempts: 5 });
    vi.advanceTimersByTime(500);
    expect([sockets.length, last().since]).toEqual([2, "b"]);
    last().say({ type: "heartbeat", cursor: "b" });
    expect([link.current().kind, fresh]).toEqual(["live", 1]);
  });

  it("gives up when all tries are spent, until somebody asks", () => {
    link.start();
    for (let tries = 0; tries <= PROFILES.local.attempts; tries += 1) {
      last().onclose?.();
      vi.advanceTimersByTime(5000);
    }
    expect(link.current().kind).toBe("off");
    expect(sockets.length).toBe(1 + PROFILES.local.attempts);
    link.start();
    expect(link.current().kind).toBe("connecting");
  });

  it("tries without the cursor now and then: another database refuses it", () => {
    link.start();
    last().say({ type: "heartbeat", cursor: "a" });
    for (let tries = 0; tries < 2; tries += 1) {
      last().onclose?.();
      vi.advanceTimersByTime(5000);
    }
    expect(sockets.map((socket) => socket.since)).toEqual([null, "a", null]);
    last().say({ type: "heartbeat", cursor: "z" });
    expect(fresh).toBe(2);
  });

  it("takes a silent connection for lost", () => {
    link.start();
    last().say({ type: "heartbeat", cursor: "a" });
    vi.advanceTimersByTime(39_000);
    last().say({ type: "heartbeat", cursor: "a" });
    vi.advanceTimersByTime(39_000);
    expect(link.current().kind).toBe("live");
    vi.advanceTimersByTime(1000);
    expect([link.current().kind, sockets[0]?.closed]).toEqual(["waiting", true]);
  });

  it("pauses, and hears nothing of the closed socket", () => {
    link.start();
    const socket = last();
    socket.say({ type: "heartbeat", cursor: "a" });
    link.pause();
    socket.onclose?.();
    socket.say({ type: "task_started", task_id: 1, cursor: "b" });
    expect([link.current().kind, frames.length]).toEqual(["paused", 1]);
    link.start();
    expect(last().since).toBe("a");
  });
});
