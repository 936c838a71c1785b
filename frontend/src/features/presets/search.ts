import type { PresetsAsked } from "@/api/presets";
import { idsOf, idsText } from "@/format/id-lists";

export const SORTS = ["id", "name", "category", "updated_at"] as const;
export const STRATEGIES = ["union", "intersection", "last_wins", "deep_merge"] as const;
const SIZE = 100;

/** What the address says of the list of presets. */
export interface PresetsSearch {
  category?: string;
  tag?: string;
  name?: string;
  runtime?: string;
  sort?: (typeof SORTS)[number];
  descending?: boolean;
  page?: number;
  /** Numbers of the chosen presets, in the order of their merge. */
  chosen?: string | number;
  /** The engine in whose names they are merged; else as they are. */
  engine?: string;
  /** How they are merged. */
  strategy?: (typeof STRATEGIES)[number];
}

export type PresetsChanges = { [Key in keyof PresetsSearch]?: PresetsSearch[Key] | undefined };

export function presetsSearch(given: Record<string, unknown>): PresetsSearch {
  const category = words(given.category);
  const tag = words(given.tag);
  const name = words(given.name);
  const runtime = words(given.runtime);
  const engine = words(given.engine);
  const sort = SORTS.find((one) => one === given.sort);
  const strategy = STRATEGIES.find((one) => one === given.strategy);
  const chosen = idsText(idsOf(given.chosen));
  const page = typeof given.page === "number" && Number.isSafeInteger(given.page) && given.page > 1 ? given.page : null;
  return {
    ...(category && { category }),
    ...(tag && { tag }),
    ...(name && { name }),
    ...(runtime && { runtime }),
    ...(sort && { sort }),
    ...(typeof given.descending === "boolean" && { descending: given.descending }),
    ...(page && { page }),
    ...(chosen !== undefined && { chosen }),
    ...(engine && { engine }),
    ...(strategy && { strategy }),
  };
}

/** The call for an address. */
export function asked({
  chosen: _chosen,
  engine: _engine,
  strategy: _strategy,
  ...filter
}: PresetsSearch): PresetsAsked {
  return { sort: "id", descending: false, page: 1, size: SIZE, ...filter };
}

export const isFiltered = ({ category, tag, name, runtime }: PresetsSearch): boolean =>
  [category, tag, name, runtime].some(Boolean);

function words(value: unknown): string | null {
  const text = typeof value === "number" ? String(value) : value;
  return typeof text === "string" && text.trim() ? text.slice(0, 255) : null;
}
