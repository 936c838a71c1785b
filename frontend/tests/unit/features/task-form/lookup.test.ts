// @vitest-environment node
import { describe, expect, it } from "vitest";
import { fieldAt, keysAt, labelOf, schemaAt, withoutDefaults } from "@/features/task-form/schema/lookup";
import { SCHEMA } from "./schema";

describe("the schema", () => {
  it("tells what a field is edited with", () => {
    const kind = (...path: string[]) => fieldAt(SCHEMA, path)?.kind;
    expect(kind("task_name")).toBe("text");
    expect(kind("base_runtime")).toBe("choice");
    expect(kind("benchmark")).toBe("block");
    expect(kind("benchmark", "repeats")).toBe("number");
    expect(kind("benchmark", "stop")).toBe("switch");
    expect(kind("benchmark", "num_concurrency")).toBe("list");
    expect(kind("parameters", "anything")).toBe("searched");
    expect(kind("slo", "ttft")).toBe("free");
  });

  it("tells what is said of a field", () => {
    expect(fieldAt(SCHEMA, ["benchmark", "repeats"])).toMatchObject({
      label: "Repeats",
      description: "measurements of each load point",
      default: 1,
      whole: true,
    });
    expect(fieldAt(SCHEMA, ["base_runtime"])?.choices).toEqual(["one", "two"]);
    expect(fieldAt(SCHEMA, ["slo", "ttft", "p90", "threshold"])?.required).toBe(true);
    expect(fieldAt(SCHEMA, ["benchmark", "num_concurrency"])?.single).toBe(true);
    expect(fieldAt(SCHEMA, ["nothing"])).toBeNull();
    expect(labelOf("max_time-per_iteration")).toBe("Max time per iteration");
    expect(["dcp", "memory_per_gpu", "by_log"].map(labelOf)).toEqual(["DCP", "Memory per GPU", "By log"]);
  });

  it("goes through references and alternatives", () => {
    expect([...keysAt(SCHEMA, ["slo", "ttft"]).keys()]).toEqual(["p90", "threshold"]);
    expect(schemaAt(SCHEMA, ["slo", "ttft", "p90", "threshold"])?.description).toBe("limit, seconds");
  });

  it("leaves out what is the default anyway, and nothing else", () => {
    const whole = {
      task_name: null,
      base_runtime: "one",
      parameters: { a: null, b: [1] },
      benchmark: { repeats: 1, window: 5, num_concurrency: [] },
      slo: { ttft: null },
      metadata: {},
    };
    expect(withoutDefaults(SCHEMA, whole)).toEqual({
      base_runtime: "one",
      parameters: { a: null, b: [1] },
      benchmark: { window: 5, num_concurrency: [] },
    });
  });
});
