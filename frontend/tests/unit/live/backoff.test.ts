// @vitest-environment node
import { describe, expect, it } from "vitest";
import { waitBefore } from "@/live/backoff";
import { PROFILES, type ProfileName } from "@/live/profiles";

const middle = () => 0.5;

describe("waitBefore", () => {
  it.each<[ProfileName, number[], number]>([
    ["normal", [1, 2, 4, 8, 16, 30, 30, 30, 30, 30], 10],
    ["high-latency", [2, 4, 8, 16, 30, 30], 20],
    ["local", [0.5, 1, 2, 4, 5], 5],
  ])("doubles up to the cap, and ends: %s", (name, seconds, attempts) => {
    const waits = seconds.map((_, attempt) => waitBefore(PROFILES[name], attempt, middle));
    expect(waits).toEqual(seconds.map((wait) => wait * 1000));
    expect(waitBefore(PROFILES[name], attempts - 1, middle)).not.toBeNull();
    expect(waitBefore(PROFILES[name], attempts, middle)).toBeNull();
  });

  it("strays by a quarter, also from the cap", () => {
    expect(waitBefore(PROFILES.normal, 0, () => 0)).toBe(750);
    expect(waitBefore(PROFILES.normal, 9, () => 0)).toBe(22_500);
    expect(waitBefore(PROFILES.normal, 9, () => 1 - 1e-9)).toBeCloseTo(37_500, 3);
  });
});
