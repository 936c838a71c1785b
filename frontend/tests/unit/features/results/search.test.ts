import { describe, expect, it } from "vitest";
import { compareSearch, idsOf } from "@/features/compare/ids";
import { resultsSearch } from "@/features/results/search";

describe("the address of a result", () => {
  it("keeps what can be shown", () => {
    const given = {
      view: "plots",
      x: "score",
      pick: [3, 1, 3],
      of: 4,
      find: "q8",
      state: "met",
      sort: "-score",
      columns: ["slo"],
    };
    expect(resultsSearch(given)).toEqual({ ...given, pick: [3, 1] });
  });

  it("leaves out everything else", () => {
    expect(resultsSearch({ view: "nowhere", x: 4, pick: "1,2", of: -1, state: "x", sort: "", columns: 3 })).toEqual({});
  });

  it("says nothing of the usual view", () => expect(resultsSearch({ view: "verdict" })).toEqual({}));

  it("holds at most eight choices", () => {
    expect(resultsSearch({ pick: [1, 2, 3, 4, 5, 6, 7, 8, 9] }).pick).toHaveLength(8);
  });
});

describe("the address of a comparison", () => {
  it.each([
    ["1,2,3", [1, 2, 3]],
    ["2, 2,x,-1,0,3", [2, 3]],
    ["", []],
    [undefined, []],
    ["1,2,3,4,5,6,7,8,9", [1, 2, 3, 4, 5, 6, 7, 8]],
  ])("%j names %j", (text, ids) => expect(idsOf(text)).toEqual(ids));

  it("may name one experiment, which comes as a number", () => expect(compareSearch({ ids: 7 })).toEqual({ ids: "7" }));
  it("may name none", () => expect(compareSearch({})).toEqual({}));
});
