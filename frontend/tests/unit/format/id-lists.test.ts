// @vitest-environment node
import { describe, expect, it } from "vitest";
import { idsOf, idsText } from "@/format/id-lists";

describe("numbers of an address", () => {
  it.each<[unknown, number[]]>([
    ["1,2,3", [1, 2, 3]],
    [7, [7]],
    ["2,2,x,-1,0,1.5,3", [2, 3]],
    ["", []],
    [undefined, []],
    [["1"], []],
  ])("reads %j", (given, ids) => expect(idsOf(given)).toEqual(ids));

  it("writes what it reads", () => {
    expect([idsText([]), idsText([5]), idsText([5, 6])]).toEqual([undefined, 5, "5,6"]);
    expect(idsOf(idsText([5, 6, 1]))).toEqual([5, 6, 1]);
  });
});
