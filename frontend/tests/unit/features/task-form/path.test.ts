// @vitest-environment node
import { expect, it } from "vitest";
import { isAt, pathOf, placeOf, valueAt } from "@/features/task-form/document/path";

it("reads the service's places and writes them again", () => {
  expect(pathOf("optimization.references.0.label")).toEqual(["optimization", "references", 0, "label"]);
  expect(pathOf("benchmark.num_concurrency[1]")).toEqual(["benchmark", "num_concurrency", 1]);
  expect(placeOf(pathOf("slo.ttft.p90"))).toBe("slo.ttft.p90");
});

it("tells a fault of a field from one beside it", () => {
  expect(isAt("slo.ttft.p90.threshold", ["slo", "ttft"])).toBe(true);
  expect(isAt("slo.ttft_more", ["slo", "ttft"])).toBe(false);
  expect(isAt("slo", ["slo", "ttft"])).toBe(false);
});

it("finds values", () => {
  expect(valueAt({ a: { b: [1, 2] } }, ["a", "b", 1])).toBe(2);
  expect(valueAt({ a: null }, ["a", "b"])).toBeUndefined();
});
