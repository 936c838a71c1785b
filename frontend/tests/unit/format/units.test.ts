import { describe, expect, it } from "vitest";
import { parameterName, parametersText, parameterValue } from "@/format/parameters";
import { fileName } from "@/format/saving";
import { named, scaleOf, withUnit } from "@/format/units";

describe("units", () => {
  it.each([
    [0.0042, "s", "4.2 ms"],
    [1.5, "s", "1.5 s"],
    [0.025, "share", "2.5 %"],
    [2 ** 31, "bytes", "2 GiB"],
    [1234.5, "tokens/s", "1,235 tokens/s"],
    [7, "", "7"],
    [null, "s", "–"],
    [Number.NaN, "s", "–"],
  ])("shows %s %s as %s", (value, unit, text) => expect(withUnit(value, unit)).toBe(text));

  it("scales an axis by its largest figure", () => {
    expect(scaleOf([0.1, null, 0.9], "s")).toEqual({ factor: 1000, unit: "ms" });
    expect(scaleOf([0.1, 1.2], "s")).toEqual({ factor: 1, unit: "s" });
    expect(scaleOf([], "s")).toEqual({ factor: 1, unit: "s" });
  });
});

describe("names with units", () => {
  it.each([
    ["mean time to first token", "s", "mean time to first token, s"],
    ["total tokens/s", "tokens/s", "total tokens/s"],
    ["score", "", "score"],
  ])("%s in %s is %s", (label, unit, text) => expect(named(label, unit)).toBe(text));
});

describe("parameters", () => {
  it.each([
    ["__model__file", "model.file"],
    ["n_batch", "n_batch"],
  ])("calls %s %s", (name, shown) => expect(parameterName(name)).toBe(shown));

  it.each([
    [null, "engine's choice"],
    [true, "true"],
    ["", '""'],
    ["/models/a/b.gguf", "b.gguf"],
    ["/models/a/", "a/"],
    ["tiny:q8_0", "tiny:q8_0"],
    ["Qwen/Qwen3-32B", "Qwen/Qwen3-32B"],
    [0.85, "0.85"],
    [8192, "8192"],
  ])("shows %j as %s", (value, shown) => expect(parameterValue(value)).toBe(shown));

  it("joins them", () => expect(parametersText({ a: 1, __model__x: null })).toBe("a=1, model.x=engine's choice"));
});

describe("file names", () => {
  it.each([
    [["demo", "history"], "demo-history"],
    [["../A b/c", "p90 TTFT"], "..-a-b-c-p90-ttft"],
    [["///"], "figure"],
  ])("makes %j %s", (parts, name) => expect(fileName(...parts)).toBe(name));
});
