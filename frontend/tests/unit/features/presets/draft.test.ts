import { describe, expect, it } from "vitest";
import type { Preset } from "@/api/presets";
import { bodyOf, draftOf, type PresetDraft } from "@/features/presets/editor/draft";

const preset: Preset = {
  id: 5,
  slug: "chat",
  is_system: false,
  revision: 2,
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z",
  name: "Chat",
  description: "for people who wait",
  category: "performance",
  runtime: "any",
  parameters: { "tp-size": [1, 2], "schedule-policy": ["lpm", "2", "true", "a, b"], flag: [true, null, 0.75] },
  config: { parallel_config: { tp: [1, 2] } },
  metadata: { author: "me", tags: ["chat", "small"], recommended_for: ["one GPU"], ticket: 7 },
  rules: [{ require: "tp-size <= 2", message: "at most two" }],
  requires: ["base"],
  visibility: "team",
};

const draft = (changes: Partial<PresetDraft>): PresetDraft => ({ ...draftOf(null), name: "New", ...changes });
const row = (name: string, values: string, id = 0) => ({ id, name, values });

describe("a draft", () => {
  it("sends back what it was made of", () => {
    const {
      id: _id,
      slug: _slug,
      is_system: _system,
      revision: _revision,
      created_at: _c,
      updated_at: _u,
      ...content
    } = preset;
    expect(bodyOf(draftOf(preset))).toEqual({ body: content });
  });

  it("reads values as YAML does", () => {
    const made = bodyOf(draft({ rows: [row("a", '1, 0.5, true, lpm, "2"')] }));
    expect(made).toMatchObject({ body: { parameters: { a: [1, 0.5, true, "lpm", "2"] } } });
  });

  it("leaves out empty rows", () => {
    expect(bodyOf(draft({ rows: [row("", " "), row("a", "1", 1)] }))).toMatchObject({
      body: { parameters: { a: [1] } },
    });
  });

  it.each([
    [{ name: " " }, "name"],
    [{ rows: [row("", "1")] }, "row 0"],
    [{ rows: [row("a", " ")] }, "row 0"],
    [{ rows: [row("a", "1"), row("a", "2", 1)] }, "row 1"],
    [{ rows: [row("a", "{b: 1}")] }, "row 0"],
    [{ rows: [row("a", "1, x: [")] }, "row 0"],
    [{ more: "- a" }, "more"],
    [{ more: "name: other" }, "more"],
    [{ more: "config: [" }, "more"],
  ])("tells at the field what is wrong with %j", (changes, place) => {
    const made = bodyOf(draft(changes));
    expect("problems" in made && Object.keys(made.problems)).toEqual([place]);
  });
});
