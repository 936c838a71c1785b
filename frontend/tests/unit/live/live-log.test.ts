// @vitest-environment node
import { describe, expect, it } from "vitest";
import { LogReader } from "@/live/live-log";

/** Reads parts of a text as the API does, one byte a character. */
const reader = (log: { text: string }, most = 1 << 20) =>
  new LogReader(async (offset, limit) => {
    const text = log.text.slice(offset, offset + Math.min(limit, most));
    return { text, next: Math.min(offset + text.length, log.text.length), size: log.text.length };
  });

describe("LogReader", () => {
  it("reads the end first, then what comes, then what lies before", async () => {
    const log = { text: "x".repeat(100_000) };
    const made = reader(log);
    await made.forward();
    expect([made.start, made.text?.length]).toEqual([100_000 - 65_536, 65_536]);
    log.text += "more";
    await made.forward();
    expect(made.text?.endsWith("more")).toBe(true);
    await made.back();
    expect([made.start, made.text]).toEqual([0, log.text]);
  });

  it("reads on until there is no more", async () => {
    const made = reader({ text: "abcdefghij" }, 3);
    await made.forward();
    expect(made.text).toBe("abcdefghij");
  });

  it("reads a log anew that has become smaller", async () => {
    const log = { text: "a long log" };
    const made = reader(log);
    await made.forward();
    log.text = "short";
    await made.forward();
    expect(made.text).toBe("short");
  });
});
