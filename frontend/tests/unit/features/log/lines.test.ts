import { describe, expect, it } from "vitest";
import { harmless, levelOf, lineAt, linesOf, linesWith, NO_LINES, parts, streamsIn } from "@/features/log/lines";

const all = (text: string, before = NO_LINES) => {
  const lines = linesOf(text, before);
  return lines.begins.map((_, index) => lineAt(lines, index));
};

describe("linesOf", () => {
  it.each([
    ["", []],
    ["one", ["one"]],
    ["one\n", ["one"]],
    ["one\r\n\ntwo", ["one", "", "two"]],
  ])("takes %j apart", (text, expected) => expect(all(text)).toEqual(expected));

  it("goes on with a text that has grown, also in the middle of a line", () => {
    const whole = "first\nsecond\n\nthird line\nlast";
    for (let cut = 0; cut <= whole.length; cut++) {
      expect(all(whole, linesOf(whole.slice(0, cut)))).toEqual(all(whole));
    }
  });

  it("begins anew with a text that is another one", () => {
    expect(all("c\nd", linesOf("a\nb"))).toEqual(["c", "d"]);
  });

  it("keeps what has not changed", () => {
    const lines = linesOf("a\nb");
    expect(linesOf("a\nb", lines)).toBe(lines);
  });
});

describe("linesWith", () => {
  const lines = linesOf("alpha\nBeta alpha alpha\ngamma\nALPHA");
  it("finds each line once, whatever the case", () => expect(linesWith(lines, "Alpha")).toEqual([0, 1, 3]));
  it("finds nothing without words", () => expect(linesWith(lines, "")).toEqual([]));
  it("finds in a large log quickly enough to search while typing", () => {
    const large = linesOf("some usual line of a server\n".repeat(50_000));
    expect(linesWith(large, "usual")).toHaveLength(50_000);
  });
});

describe("parts", () => {
  it("has what was looked for at every second place", () =>
    expect(parts("an Error, an error", "error")).toEqual(["an ", "Error", ", an ", "error", ""]));
  it("leaves a line whole without words", () => expect(parts("a", "")).toEqual(["a"]));
});

describe("harmless", () => {
  it("shows what a terminal would obey", () => expect(harmless("a\u001b[31mb\u007f")).toBe("a␛[31mb␡"));
  it("shows what would turn the writing", () => expect(harmless("a\u202eb")).toBe("a\ufffdb"));
  it("leaves tabs and words", () => expect(harmless("a\tä 日本")).toBe("a\tä 日本"));
});

describe("levelOf", () => {
  it.each([
    ["ERROR 07-01 12:00:00 engine died", "error"],
    ["torch.OutOfMemoryError: CUDA out of memory", "error"],
    ["W0701 slow", "warning"],
    ["srv: warning: slow", "warning"],
    ["0.05.851.923 W srv stop: cancel task", "warning"],
    ["DEBUG x", "debug"],
    ["INFO: 200 OK", null],
    ["no errors were found", null],
  ])("judges %j", (line, level) => expect(levelOf(line)).toBe(level));
});

describe("streamsIn", () => {
  it("finds the heads alone", () => {
    const head = (stream: string) => `== experiment 0, start 1 (first): ${stream} ==`;
    const text = `${head("experiment-0000/attempt-01")}\nx == y\n\n${head("experiment-0012/attempt-02")}\n== no ==\n`;
    expect(streamsIn(linesOf(text))).toEqual(["experiment-0000/attempt-01", "experiment-0012/attempt-02"]);
  });
});
