import { describe, expect, it } from "vitest";
import { asked, presetsSearch } from "@/features/presets/search";

describe("presetsSearch", () => {
  it("keeps what makes sense alone", () => {
    const given = {
      category: "memory",
      tag: " ",
      sort: "age",
      strategy: "union",
      chosen: "3,1,3,x",
      page: 1,
      other: 1,
    };
    expect(presetsSearch(given)).toEqual({ category: "memory", strategy: "union", chosen: "3,1" });
  });
  it("asks the service for the filter, not for what is chosen", () => {
    const query = asked({ tag: "chat", chosen: "1,2", engine: "any", strategy: "union", sort: "name" });
    expect(query).toEqual({ tag: "chat", sort: "name", descending: false, page: 1, size: 100 });
  });
});
