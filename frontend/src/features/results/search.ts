/** What the address of a result says: which part is shown, and what was chosen in it. */
export const VIEWS = ["verdict", "plots", "experiments", "files", "client"] as const;
export type View = (typeof VIEWS)[number];

export interface ResultsSearch {
  view?: View;
  /** Axes of the trade-off. */
  x?: string;
  y?: string;
  /** Text that experiments are searched for. */
  find?: string;
  state?: "met" | "violated" | "failed";
  /** Column, with a minus in front: the greatest first. */
  sort?: string;
  columns?: readonly string[];
  /** Numbers within the task of the experiments that are chosen. */
  pick?: readonly number[];
  /** Experiment whose files are shown. */
  of?: number;
}

export const MOST_PICKED = 8;

/** Whatever stands in an address becomes a search that can be shown; the rest is left out. */
export function resultsSearch(given: Record<string, unknown>): ResultsSearch {
  const text = (name: string) => (typeof given[name] === "string" && given[name] ? given[name] : undefined);
  const view = VIEWS.find((known) => known === given.view);
  const state = (["met", "violated", "failed"] as const).find((known) => known === given.state);
  const columns = Array.isArray(given.columns) ? given.columns.filter((one) => typeof one === "string") : undefined;
  const pick = Array.isArray(given.pick) ? [...new Set(given.pick.filter(isNumber))].slice(0, MOST_PICKED) : undefined;
  const found: Record<keyof ResultsSearch, unknown> = {
    view: view === "verdict" ? undefined : view,
    x: text("x"),
    y: text("y"),
    find: text("find"),
    state,
    sort: text("sort"),
    columns,
    pick: pick?.length ? pick : undefined,
    of: isNumber(given.of) ? given.of : undefined,
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) as ResultsSearch;
}

const isNumber = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
