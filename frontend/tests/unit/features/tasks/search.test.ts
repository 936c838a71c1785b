// @vitest-environment node
import { describe, expect, it } from "vitest";
import { asked, isFiltered, orderOf, tasksSearch } from "@/features/tasks/search";

describe("the address of the list of tasks", () => {
  it("leaves out what makes no sense", () => {
    expect(
      tasksSearch({ status: ["running", "done"], search: "  ", sort: "colour", page: 0, view: "all", chosen: "x" }),
    ).toEqual({ status: ["running"] });
  });

  it("takes a lone status, a name of digits and a lone number", () => {
    expect(tasksSearch({ status: "failed", search: 42, chosen: 7, page: 3 })).toEqual({
      status: ["failed"],
      search: "42",
      chosen: 7,
      page: 3,
    });
  });

  it("is its own meaning", () => {
    const search = tasksSearch({
      status: ["paused"],
      search: "a",
      sort: "name",
      descending: true,
      page: 2,
      chosen: "1,2",
    });
    expect(tasksSearch({ ...search })).toEqual(search);
  });

  it("asks the service for one page in the order that is shown", () => {
    expect(asked({})).toEqual({ sort: "id", descending: true, page: 1, size: 50 });
    expect(asked({ sort: "name", view: "deleted", search: "llama", status: ["failed"], page: 2, chosen: 4 })).toEqual({
      sort: "name",
      descending: false,
      deleted: true,
      search: "llama",
      status: ["failed"],
      page: 2,
      size: 50,
    });
    expect(orderOf({ sort: "updated_at" })).toEqual({ by: "updated_at", descending: true });
  });

  it("is filtered by what narrows the list only", () => {
    expect(isFiltered({ sort: "name", page: 2, chosen: 1 })).toBe(false);
    expect(isFiltered({ view: "archived" })).toBe(true);
  });
});
