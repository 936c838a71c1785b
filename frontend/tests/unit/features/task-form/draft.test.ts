import { act, renderHook } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import { keptDraft, keyFor, useDraft } from "@/features/task-form/draft";

beforeEach(() => localStorage.clear());

describe("a draft", () => {
  it("is kept once it is edited, and found again", () => {
    const { result } = renderHook(() => useDraft("new", "a: 1\n"));
    expect(keptDraft("new")).toBeNull();
    act(() => result.current.setText("a: 2\n"));
    expect(keptDraft("new")?.text).toBe("a: 2\n");
    const again = renderHook(() => useDraft("new", "a: 1\n"));
    expect(again.result.current).toMatchObject({ text: "a: 2\n", restored: true, edited: true });
    act(() => again.result.current.restart("a: 1\n"));
    expect(again.result.current).toMatchObject({ text: "a: 1\n", restored: false, edited: false });
    expect(keptDraft("new")).toBeNull();
  });

  it("is forgotten when it has become a task", () => {
    const { result } = renderHook(() => useDraft("new", "a: 1\n"));
    act(() => result.current.setText("a: 2\n"));
    act(() => result.current.finish());
    expect(keptDraft("new")).toBeNull();
  });

  it("is sent again under the same key, another text under another one", () => {
    const { result } = renderHook(() => useDraft("new", "a: 1\n"));
    const first = result.current.sending();
    expect(result.current.sending()).toBe(first);
    act(() => result.current.setText("a: 2\n"));
    expect(result.current.sending()).not.toBe(first);
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(keyFor("x", { text: "x", sent: { text: "x", key: "k" } })).toBe("k");
  });

  it("begins anew where what is kept cannot be read", () => {
    localStorage.setItem("autotuner.draft.new", "{");
    expect(renderHook(() => useDraft("new", "a: 1\n")).result.current.text).toBe("a: 1\n");
  });
});
