import { describe, expect, it } from "vitest";
import { lineScale, placeOn } from "@/features/results/scale";

describe("the line of an interval", () => {
  it.each([[[0.38, 0.75]], [[-0.02, 0.01]], [[-0.5, -0.2]], [[0]], [[3.2, 5.1]], [[0.0004, 0.0006]]])(
    "holds %j and the baseline, with room at both ends",
    (values) => {
      const scale = lineScale(values);
      for (const value of [0, ...values]) {
        expect(placeOn(scale, value)).toBeGreaterThan(0.05);
        expect(placeOn(scale, value)).toBeLessThan(0.95);
      }
    },
  );

  it("has round marks, the baseline among them", () => {
    const { ticks } = lineScale([0.38, 0.75]);
    expect(ticks.map((tick) => Number(tick.toFixed(6)))).toContain(0);
    expect(ticks.length).toBeGreaterThanOrEqual(3);
    expect(ticks.length).toBeLessThanOrEqual(8);
  });
});
