import { describe, expect, it } from "vitest";
import { type ConfiguredValue, grouped, originOf, valueText } from "@/features/task-configuration/provenance";

const value = (place: string, changes: Partial<ConfiguredValue> = {}): ConfiguredValue => ({
  place,
  value: 1,
  layer: "document",
  presets: [],
  description: "",
  ...changes,
});

describe("originOf", () => {
  it.each([
    ["document", "Document"],
    ["default", "Default"],
    ["profile:low-latency:low-latency-params", "Profile low-latency"],
    ["user_patch", "user patch"],
  ])("calls the layer %s %s", (layer, text) => expect(originOf({ layer, presets: [] }).text).toBe(text));

  it("names each preset with its revision at that time", () => {
    const presets = [
      { slug: "chat", number: 7, revision: 3 },
      { slug: "old", number: null, revision: null },
    ];
    expect(originOf({ layer: "preset:chat+old", presets }).text).toBe("Preset chat, revision 3 + old");
  });
});

describe("grouped", () => {
  it("leaves out the name of the only block", () => {
    const groups = grouped([value("slo.steepness"), value("slo.ttft.mean.threshold"), value("slo.ttft.mean.weight")]);
    expect(groups.map(({ name, values }) => [name, values.map(({ label }) => label)])).toEqual([
      ["", ["steepness"]],
      ["ttft.mean", ["threshold", "weight"]],
    ]);
  });

  it("keeps the names of several blocks apart", () => {
    const groups = grouped([value("runtime.env.A"), value("runtime.python"), value("deployment.gpu_wait_timeout")]);
    expect(groups.map(({ name }) => name)).toEqual(["runtime.env", "runtime", "deployment"]);
  });

  it("takes values without a block as they are", () => {
    expect(grouped([value("task_name"), value("labels")])).toEqual([
      {
        name: "",
        values: [expect.objectContaining({ label: "task_name" }), expect.objectContaining({ label: "labels" })],
      },
    ]);
  });
});

describe("valueText", () => {
  it.each([
    [[1, 2, 4], "1, 2, 4"],
    [[], "none"],
    ["", '""'],
    [{ type: "int", low: 1, high: 8, step: 2 }, "1 to 8, whole numbers, step 2"],
    [{ type: "float", low: 0.1, high: 1, log: true }, "0.1 to 1, by ratio"],
    [[{ label: "expert", parameters: { a: 1 } }], "label: expert, parameters: a: 1"],
    [false, "false"],
  ])("writes %j as %s", (given, text) => expect(valueText(given)).toBe(text));
});
