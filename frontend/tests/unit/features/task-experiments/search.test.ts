import { describe, expect, it } from "vitest";
import { asked, experimentsSearch, isFiltered } from "@/features/task-experiments/search";

describe("experimentsSearch", () => {
  it("keeps what makes sense alone", () => {
    const given = {
      status: ["failed", "odd", "success"],
      origin: "nobody",
      slo: "broken",
      page: 0,
      open: 12,
      sort: "id",
    };
    expect(experimentsSearch(given)).toEqual({ status: ["success", "failed"], slo: "broken", open: 12 });
  });
  it("takes one status as a list", () => {
    expect(experimentsSearch({ status: "failed" })).toEqual({ status: ["failed"] });
  });
  it("forgets what is taken out", () => {
    expect(experimentsSearch({ ...experimentsSearch({ origin: "search" }), origin: undefined })).toEqual({});
  });
});

describe("asked", () => {
  it("asks for numbers in their order without more", () => {
    expect(asked({})).toEqual({ sort: "number", descending: false, page: 1, size: 50 });
  });
  it("turns words into the call's terms", () => {
    const query = asked({ slo: "broken", sort: "objective_score", descending: true, page: 3, open: 9 });
    expect(query).toEqual({ slo_violation: true, sort: "objective_score", descending: true, page: 3, size: 50 });
  });
});

it("knows whether there is a filter", () => {
  expect(isFiltered({ page: 2, open: 1 })).toBe(false);
  expect(isFiltered({ slo: "kept" })).toBe(true);
});
