import type { TaskListAsked } from "@/api/task-list";
import type { TaskStatus } from "@/api/tasks";
import { idsOf, idsText } from "@/format/id-lists";

export const STATUSES: readonly TaskStatus[] = [
  "pending",
  "running",
  "paused",
  "cancelling",
  "completed",
  "failed",
  "cancelled",
];
export const SORTS = ["id", "name", "updated_at", "status"] as const;
const VIEWS = ["archived", "deleted"] as const;
const SIZE = 50;

/** What the address says of the list; what is not there is not filtered by. */
export interface TasksSearch {
  status?: TaskStatus[];
  /** Present tasks without it. */
  view?: (typeof VIEWS)[number];
  search?: string;
  sort?: (typeof SORTS)[number];
  /** The greatest first; the usual order of `sort` without it. */
  descending?: boolean;
  page?: number;
  /** Numbers of the chosen tasks. */
  chosen?: string | number;
}

/** What is to be changed in the address; undefined takes it out. */
export type SearchChanges = { [Key in keyof TasksSearch]?: TasksSearch[Key] | undefined };

/** The address as far as it makes sense. */
export function tasksSearch(given: Record<string, unknown>): TasksSearch {
  const wanted = Array.isArray(given.status) ? given.status : [given.status];
  const status = STATUSES.filter((one) => wanted.includes(one));
  const view = VIEWS.find((one) => one === given.view);
  const search = textOf(given.search);
  const sort = SORTS.find((one) => one === given.sort);
  const chosen = idsText(idsOf(given.chosen));
  const page = typeof given.page === "number" && Number.isSafeInteger(given.page) && given.page > 1 ? given.page : null;
  return {
    ...(status.length > 0 && { status }),
    ...(view && { view }),
    ...(search && { search }),
    ...(sort && { sort }),
    ...(typeof given.descending === "boolean" && { descending: given.descending }),
    ...(page && { page }),
    ...(chosen !== undefined && { chosen }),
  };
}

/** The order of an address: the newest first where it says nothing. */
export function orderOf({ sort = "id", descending }: TasksSearch): { by: string; descending: boolean } {
  return { by: sort, descending: descending ?? (sort === "id" || sort === "updated_at") };
}

/** The call for an address. */
export function asked(search: TasksSearch): TaskListAsked {
  const { status, view, search: words, page = 1 } = search;
  const { by, descending } = orderOf(search);
  return {
    ...(status && { status }),
    ...(view === "archived" && { archived: true }),
    ...(view === "deleted" && { deleted: true }),
    ...(words && { search: words }),
    sort: SORTS.find((one) => one === by) ?? "id",
    descending,
    page,
    size: SIZE,
  };
}

export const isFiltered = ({ status, search, view }: TasksSearch): boolean =>
  status !== undefined || search !== undefined || view !== undefined;

/** A text; a name of digits comes as a number. */
function textOf(value: unknown): string | null {
  const text = typeof value === "number" ? String(value) : value;
  return typeof text === "string" && text.trim() !== "" ? text.slice(0, 255) : null;
}
