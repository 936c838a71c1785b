// @vitest-environment node
import { expect, it } from "vitest";
import { difference } from "@/features/task-form/editor/difference";

it("changes the part of a text that differs, and no more", () => {
  const changed = (old: string, next: string) => {
    const { from, to, insert } = difference(old, next);
    expect(old.slice(0, from) + insert + old.slice(to)).toBe(next);
    return insert;
  };
  expect(changed("a: 1\nb: 2\n", "a: 1\nb: 30\n")).toBe("30");
  expect(changed("aaa", "aa")).toBe("");
  expect(changed("aa", "aaa")).toBe("a");
  expect(changed("", "x")).toBe("x");
  expect(changed("same", "same")).toBe("");
});
