import { afterEach, describe, expect, it } from "vitest";
import { hourOf, moment } from "@/format/moments";
import { chooseTimeZone, chosenTimeZone } from "@/format/time-zone";

const AT = "2026-03-01T14:05:09Z";
afterEach(() => localStorage.clear());

describe("moments", () => {
  it("are shown in UTC where that is chosen, and say so", () => {
    chooseTimeZone("utc");
    expect(moment(AT)).toBe("2026-03-01 14:05:09 UTC");
    expect(hourOf(AT)).toBe("14:05 UTC");
  });

  it("are shown in the browser's zone else", () => {
    chooseTimeZone("utc");
    chooseTimeZone("local");
    expect(chosenTimeZone()).toBe("local");
    expect(moment(AT)).toMatch(/^2026-0[23]-\d\d \d\d:05:09$/);
  });

  it("are left as they are when they are none", () => expect(moment("soon")).toBe("soon"));
});
