// @vitest-environment node
import { expect, it } from "vitest";
import type { ProblemDetails } from "@/api/problem";
import { looksLikeDocument } from "@/features/task-form/importing/read-file";
import { taskFormSearch } from "@/features/task-form/search";
import { faultsOf } from "@/features/task-form/task-form-state";
import { SCHEMA } from "./schema";

const PROBLEM: ProblemDetails = {
  type: "about:blank",
  title: "Unprocessable Entity",
  status: 422,
  code: "invalid_value",
  detail: "pp cannot be 3",
  why: "it takes one of 1, 2",
  remedy: "Correct it",
  place: "parallel_config.pp",
  errors: null,
};

it("puts what is wrong at its field", () => {
  expect(faultsOf(PROBLEM)).toEqual([
    { place: "parallel_config.pp", detail: "pp cannot be 3: it takes one of 1, 2", remedy: "Correct it" },
  ]);
  const errors = ["a", "b"].map((place) => ({ place, detail: `${place} is wrong`, code: "x", remedy: "Mend it" }));
  expect(faultsOf({ ...PROBLEM, errors }).map((one) => one.place)).toEqual(["a", "b"]);
  expect(faultsOf(null)).toEqual([]);
});

it("takes a file with the document's keys for a document, and nothing else", () => {
  expect(looksLikeDocument(SCHEMA, "task_name: a\nbenchmark: {repeats: 2}\n")).toBe(true);
  expect(looksLikeDocument(SCHEMA, '{"task_name": "a"}')).toBe(true);
  expect(looksLikeDocument(SCHEMA, '{"model_name": "LLAMA"}')).toBe(false);
  expect(looksLikeDocument(SCHEMA, "a,b\n1,2\n")).toBe(false);
  expect(looksLikeDocument(SCHEMA, "")).toBe(false);
});

it("reads of an address what it knows", () => {
  expect(taskFormSearch({ view: "yaml", form: "structured", other: 1 })).toEqual({ view: "yaml", form: "structured" });
  expect(taskFormSearch({ view: "nothing" })).toEqual({});
});
