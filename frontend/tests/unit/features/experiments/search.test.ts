// @vitest-environment node
import { describe, expect, it } from "vitest";
import { allExperimentsSearch, asked } from "@/features/experiments/search";

describe("the address of the list of experiments", () => {
  it("knows filters and orders that need a task with one only", () => {
    const given = { slo: "kept", sort: "objective_score", descending: false, status: "failed" };
    expect(allExperimentsSearch(given)).toEqual({ status: ["failed"], descending: false });
    expect(allExperimentsSearch({ ...given, task: 3 })).toEqual({ ...given, status: ["failed"], task: 3 });
  });

  it("chooses at most eight", () => {
    expect(allExperimentsSearch({ chosen: "1,2,3,4,5,6,7,8,9,10" })).toEqual({ chosen: "1,2,3,4,5,6,7,8" });
  });

  it("asks for the newest first", () => {
    expect(asked({})).toEqual({ sort: "id", descending: true, page: 1, size: 100 });
    expect(asked({ task: 3, slo: "broken", sort: "objective_score", page: 2 })).toEqual({
      task_id: 3,
      slo_violation: true,
      sort: "objective_score",
      descending: true,
      page: 2,
      size: 100,
    });
  });
});
