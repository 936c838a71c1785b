// @vitest-environment node
import { expect, it } from "vitest";
import { modeOf, shown, typed, typedList } from "@/features/task-form/document/values";

it("shows values as they are typed, and reads them again", () => {
  for (const values of [
    [1, 2, 4],
    [0.7, 0.75],
    [true, false],
    ["auto", "fp8_e5m2"],
    ["1", 1],
  ]) {
    expect(typedList(shown(values))).toEqual(values);
  }
  expect(shown(undefined)).toBe("");
  expect(typed("12")).toBe(12);
  expect(typed("")).toBeUndefined();
  expect(typedList("1, 2,")).toEqual([1, 2]);
});

it("tells one value from several and from a range", () => {
  expect(modeOf(5)).toBe("fixed");
  expect(modeOf([5])).toBe("values");
  expect(modeOf({ type: "int", low: 1, high: 2 })).toBe("range");
  expect(modeOf({ type: "int", values: [1] })).toBe("values");
});
