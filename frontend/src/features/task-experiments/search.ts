import type { ExperimentOrigin, ExperimentStatus, TaskExperimentsAsked } from "@/api/task-experiments";

export const STATUSES: readonly ExperimentStatus[] = [
  "pending",
  "deploying",
  "benchmarking",
  "success",
  "pruned",
  "failed",
  "cancelled",
];
export const ORIGINS: readonly ExperimentOrigin[] = ["baseline", "reference", "search"];
const SIZE = 50;

/** What the address says of the table; what is not there is not filtered by. */
export interface ExperimentsSearch {
  status?: ExperimentStatus[];
  origin?: ExperimentOrigin;
  slo?: "kept" | "broken";
  sort?: "number" | "objective_score";
  descending?: boolean;
  page?: number;
  /** Number in the store of the one that is shown in full. */
  open?: number;
}

/** What is to be changed in the address; undefined takes it out. */
export type SearchChanges = { [Key in keyof ExperimentsSearch]?: ExperimentsSearch[Key] | undefined };

/** The address as far as it makes sense. */
export function experimentsSearch(given: Record<string, unknown>): ExperimentsSearch {
  const asked = Array.isArray(given.status) ? given.status : [given.status];
  const status = STATUSES.filter((one) => asked.includes(one));
  const origin = ORIGINS.find((one) => one === given.origin);
  const slo = given.slo === "kept" || given.slo === "broken" ? given.slo : undefined;
  const sort = given.sort === "objective_score" || given.sort === "number" ? given.sort : undefined;
  const page = whole(given.page);
  const open = whole(given.open);
  return {
    ...(status.length > 0 && { status }),
    ...(origin && { origin }),
    ...(slo && { slo }),
    ...(sort && { sort }),
    ...(typeof given.descending === "boolean" && { descending: given.descending }),
    ...(page !== undefined && page > 1 && { page }),
    ...(open !== undefined && { open }),
  };
}

/** The call for an address. */
export function asked(search: ExperimentsSearch): TaskExperimentsAsked {
  const { status, origin, slo, sort = "number", descending = false, page = 1 } = search;
  return {
    ...(status && { status }),
    ...(origin && { origin }),
    ...(slo && { slo_violation: slo === "broken" }),
    sort,
    descending,
    page,
    size: SIZE,
  };
}

export const isFiltered = ({ status, origin, slo }: ExperimentsSearch): boolean =>
  status !== undefined || origin !== undefined || slo !== undefined;

function whole(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1 ? value : undefined;
}
