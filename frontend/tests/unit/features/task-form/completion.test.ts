// @vitest-environment node
import { describe, expect, it } from "vitest";
import { cursorAt } from "@/features/task-form/document/cursor";
import { proposalsAt, tipAt } from "@/features/task-form/schema/completion";
import { SCHEMA } from "./schema";

/** The text without its |, and where that stood. */
const at = (marked: string): [string, number] => [marked.replace("|", ""), marked.indexOf("|")];
const labels = (marked: string) => proposalsAt(SCHEMA, ...at(marked))?.proposals.map((one) => one.label);

describe("the cursor", () => {
  it("is told by indentation, also in half a document", () => {
    expect(cursorAt(...at("benchmark:\n  repe|"))).toMatchObject({
      holder: ["benchmark"],
      key: "repe",
      inValue: false,
    });
    expect(cursorAt(...at("a:\n  b:\n    c: 1\n  d: |"))).toMatchObject({ holder: ["a"], key: "d", inValue: true });
    expect(cursorAt(...at("a:\n  b: [\n|"))).toMatchObject({ holder: [], inValue: false });
    expect(cursorAt(...at("# a| comment"))).toBeNull();
  });
});

describe("what is proposed", () => {
  it("is the keys of the block", () => {
    expect(labels("|")).toEqual(["task_name", "base_runtime", "parameters", "benchmark", "slo"]);
    expect(labels("benchmark:\n  |")).toEqual(["repeats", "window", "stop", "num_concurrency"]);
    expect(labels("slo:\n  ttft:\n    p90:\n      thr|")).toEqual(["threshold"]);
  });

  it("is the choices of a value", () => {
    expect(labels("base_runtime: |")).toEqual(["one", "two"]);
    expect(labels("benchmark:\n  stop: t|")).toEqual(["true", "false"]);
  });

  it("begins where the word begins", () => {
    expect(proposalsAt(SCHEMA, ...at("benchmark:\n  rep|"))?.from).toBe("benchmark:\n  ".length);
  });
});

it("explains a key under the pointer", () => {
  expect(tipAt(SCHEMA, ...at("benchmark:\n  rep|eats: 2"))).toEqual({
    key: "repeats",
    text: "measurements of each load point",
  });
  expect(tipAt(SCHEMA, ...at("nothing|: 2"))).toBeNull();
});
