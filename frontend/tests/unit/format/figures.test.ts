import { describe, expect, it } from "vitest";
import { bytes, duration, figure, gain } from "@/format/figures";

describe("figures", () => {
  it.each([
    [12345.678, "12,346"],
    [123.45, "123.5"],
    [0.1234567, "0.123"],
    [0, "0"],
    [null, "–"],
    [Number.NaN, "–"],
  ])("shows %s as %s", (value, text) => expect(figure(value)).toBe(text));

  it.each([
    [0.123, "+12.3 %"],
    [-0.05, "−5.0 %"],
    [1.5, "+150 %"],
    [undefined, "–"],
  ])("shows the gain %s as %s", (value, text) => expect(gain(value)).toBe(text));

  it.each([
    [0.85, "850 ms"],
    [12.2, "12 s"],
    [59.7, "1 min"],
    [200, "3 min 20 s"],
    [7500, "2 h 5 min"],
    [273_600, "3 d 4 h"],
  ])("shows %s seconds as %s", (value, text) => expect(duration(value)).toBe(text));

  it("shows bytes", () => {
    expect(bytes(0)).toBe("0 B");
    expect(bytes(1536)).toBe("1.5 KiB");
  });
});
