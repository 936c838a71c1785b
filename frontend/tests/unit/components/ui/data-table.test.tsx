import { cleanup, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { afterEach, describe, expect, it } from "vitest";
import { type Column, DataTable, type Sort } from "@/components/ui/data-table";

interface Fruit {
  name: string;
  weight: number | null;
}
const FRUIT: Fruit[] = [
  { name: "plum 10", weight: 20 },
  { name: "plum 9", weight: null },
  { name: "apple", weight: 100 },
];
const COLUMNS: Column<Fruit>[] = [
  { id: "name", head: "Name", cell: ({ name }) => <a href={`#${name}`}>{name}</a>, sortBy: ({ name }) => name },
  {
    id: "weight",
    head: "Weight (g)",
    align: "right",
    descendingFirst: true,
    cell: ({ weight }) => weight ?? "–",
    sortBy: ({ weight }) => weight,
  },
  { id: "note", head: "Note", cell: () => "" },
];

function Fruits({ onServer = false, most }: { onServer?: boolean; most?: number }) {
  const [sort, setSort] = useState<Sort | null>(null);
  const [ids, setIds] = useState<string[]>([]);
  return (
    <>
      <DataTable
        label="Fruit"
        rows={FRUIT}
        columns={COLUMNS}
        rowId={({ name }) => name}
        rowLabel={({ name }) => name}
        sort={sort}
        onSort={setSort}
        onServer={onServer}
        selection={{ ids, onChange: setIds, ...(most !== undefined && { most }) }}
      />
      <p>{JSON.stringify({ sort, ids })}</p>
    </>
  );
}
const names = () => screen.getAllByRole("link").map((link) => link.textContent);
const head = (text: string) => screen.getByRole("columnheader", { name: text });
const press = (text: string) => userEvent.click(within(head(text)).getByRole("button"));

afterEach(cleanup);

describe("DataTable", () => {
  it("sorts by a head, says so, and leaves what has no value last", async () => {
    render(<Fruits />);
    expect(names()).toEqual(["plum 10", "plum 9", "apple"]);
    expect(head("Weight (g)")).toHaveAttribute("aria-sort", "none");
    expect(head("Note")).not.toHaveAttribute("aria-sort");
    await press("Weight (g)");
    expect(names()).toEqual(["apple", "plum 10", "plum 9"]);
    expect(head("Weight (g)")).toHaveAttribute("aria-sort", "descending");
    await press("Weight (g)");
    expect(names()).toEqual(["plum 10", "apple", "plum 9"]);
    await press("Name");
    expect(names()).toEqual(["apple", "plum 9", "plum 10"]);
  });

  it("leaves the order to the service", async () => {
    render(<Fruits onServer />);
    await press("Weight (g)");
    expect(names()).toEqual(["plum 10", "plum 9", "apple"]);
    expect(screen.getByText(/"by":"weight","descending":true/)).toBeInTheDocument();
  });

  it("chooses rows, no more than may be", async () => {
    render(<Fruits most={2} />);
    await userEvent.click(screen.getByRole("checkbox", { name: "Select apple" }));
    await userEvent.click(screen.getByRole("checkbox", { name: "Select plum 9" }));
    expect(screen.getByRole("checkbox", { name: "Select plum 10" })).toBeDisabled();
    await userEvent.click(screen.getByRole("checkbox", { name: "Select apple" }));
    expect(screen.getByText(/"ids":\["plum 9"\]/)).toBeInTheDocument();
  });

  it("goes to the next row by arrow key", async () => {
    render(<Fruits />);
    screen.getByRole("link", { name: "plum 10" }).focus();
    await userEvent.keyboard("{ArrowDown}{ArrowDown}{ArrowDown}{ArrowUp}");
    expect(document.activeElement?.textContent).toBe("plum 9");
  });
});
