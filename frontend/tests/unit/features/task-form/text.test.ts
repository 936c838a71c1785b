// @vitest-environment node
import { describe, expect, it } from "vitest";
import { rangeOf, read, withValue, write } from "@/features/task-form/document/text";

const TEXT = `# what we run at night
task_name: night
model:
  id_or_path: tiny # made here
benchmark:
  num_concurrency: [1, 4]
`;

describe("a document as text", () => {
  it("is read as data", () => {
    expect(read(TEXT).data).toEqual({
      task_name: "night",
      model: { id_or_path: "tiny" },
      benchmark: { num_concurrency: [1, 4] },
    });
    expect(read("").data).toEqual({});
  });

  it("says where it is no YAML", () => {
    const { data, faults } = read("a: [1,\nb: 2");
    expect(data).toBeNull();
    expect(faults.length).toBeGreaterThan(0);
    expect(read("- 1\n- 2").faults[0]?.message).toContain("keys and values");
  });

  it("keeps comments and everything else when a value changes", () => {
    const changed = withValue(TEXT, ["model", "id_or_path"], "small");
    expect(changed).toBe(TEXT.replace("tiny # made here", "small # made here"));
    expect(withValue(changed, ["model", "id_or_path"], "tiny")).toBe(TEXT);
  });

  it("makes the blocks around a new value, and takes empty ones away again", () => {
    const more = withValue(TEXT, ["optimization", "confirm", "starts"], 3);
    expect(read(more).data).toMatchObject({ optimization: { confirm: { starts: 3 } } });
    expect(withValue(more, ["optimization", "confirm", "starts"], undefined)).toBe(TEXT);
  });

  it("puts a list, a range and a scalar in one another's place", () => {
    const path = ["parameters", "n_batch"];
    let text = withValue("task_name: a\n", path, [64, 128]);
    expect(text).toContain("n_batch: [64, 128]");
    text = withValue(text, path, { type: "int", low: 1, high: 9 });
    expect(text).toContain("n_batch: {type: int, low: 1, high: 9}");
    text = withValue(text, path, 5);
    expect(read(text).data).toEqual({ task_name: "a", parameters: { n_batch: 5 } });
  });

  it("starts from nothing", () => {
    expect(withValue("", ["task_name"], "a")).toBe("task_name: a\n");
    expect(withValue("model:\n", ["model", "id_or_path"], "x")).toBe("model:\n  id_or_path: x\n");
  });

  it("writes an empty block in a line, and opens it when something comes into it", () => {
    const empty = withValue("task_name: a\n", ["quant_config"], {});
    expect(empty).toBe("task_name: a\nquant_config: {}\n");
    expect(withValue(empty, ["quant_config", "x"], [1])).toBe("task_name: a\nquant_config:\n  x: [1]\n");
  });

  it("leaves a text alone that cannot be read", () => {
    expect(withValue("a: [1", ["a"], 2)).toBe("a: [1");
  });

  it("round-trips every document that it writes", () => {
    const data = {
      task_name: "on",
      parameters: { a: [true, "yes", null, 0.1], b: { type: "int", low: 1, high: 4, log: true } },
      benchmark: { traffic_scenarios: ["0.7*D(64,64)+0.3*D(600,16)"], additional_params: {} },
      optimization: { references: [{ label: "ours: today", parameters: { a: 1 } }] },
    };
    expect(read(write(data)).data).toEqual(data);
  });

  it("finds the text of a place", () => {
    const at = (path: (string | number)[]) => {
      const range = rangeOf(TEXT, path);
      return range && TEXT.slice(range.from, range.to);
    };
    expect(at(["benchmark", "num_concurrency"])).toBe("num_concurrency");
    expect(at(["benchmark", "num_concurrency", 1])).toBe("4");
    expect(at(["benchmark", "missing"])).toBe("benchmark");
    expect(at(["slo"])).toBeNull();
  });
});
