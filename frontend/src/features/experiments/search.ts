import type { ExperimentListAsked } from "@/api/experiment-list";
import { MOST_COMPARED } from "@/features/compare/ids";
import { STATUSES } from "@/features/task-experiments/search";
import { idsOf, idsText } from "@/format/id-lists";

const SORTS = ["id", "objective_score"] as const;
const SIZE = 100;

/** What the address says of the list. What needs a task is left out without one. */
export interface AllExperimentsSearch {
  status?: NonNullable<ExperimentListAsked["status"]>;
  task?: number;
  slo?: "kept" | "broken";
  sort?: (typeof SORTS)[number];
  descending?: boolean;
  page?: number;
  /** Numbers of the chosen experiments. */
  chosen?: string | number;
}

/** What is to be changed in the address; undefined takes it out. */
export type SearchChanges = { [Key in keyof AllExperimentsSearch]?: AllExperimentsSearch[Key] | undefined };

/** The address as far as it makes sense. */
export function allExperimentsSearch(given: Record<string, unknown>): AllExperimentsSearch {
  const wanted = Array.isArray(given.status) ? given.status : [given.status];
  const status = STATUSES.filter((one) => wanted.includes(one));
  const [task] = idsOf(given.task);
  const [page] = idsOf(given.page);
  const slo = given.slo === "kept" || given.slo === "broken" ? given.slo : undefined;
  const sort = SORTS.find((one) => one === given.sort);
  const chosen = idsText(idsOf(given.chosen).slice(0, MOST_COMPARED));
  return {
    ...(status.length > 0 && { status }),
    ...(task !== undefined && { task }),
    ...(task !== undefined && slo && { slo }),
    ...(sort && (task !== undefined || sort === "id") && { sort }),
    ...(typeof given.descending === "boolean" && { descending: given.descending }),
    ...(page !== undefined && page > 1 && { page }),
    ...(chosen !== undefined && { chosen }),
  };
}

/** The order of an address: the newest first where it says nothing. */
export const orderOf = ({ sort = "id", descending = true }: AllExperimentsSearch) => ({ by: sort, descending });

/** The call for an address. */
export function asked(search: AllExperimentsSearch): ExperimentListAsked {
  const { status, task, slo, sort = "id", descending = true, page = 1 } = search;
  return {
    ...(status && { status }),
    ...(task !== undefined && { task_id: task }),
    ...(slo && { slo_violation: slo === "broken" }),
    sort,
    descending,
    page,
    size: SIZE,
  };
}
