import { queryOptions } from "@tanstack/react-query";
import { client, type Schema, taken } from "@/api/client";
import { keys } from "@/api/keys";
import type { paths } from "@/api/schema.gen";

export type ListedExperiment = Schema<"ExperimentShown">;
/** Which experiments, in which order; most filters need a task. */
export type ExperimentListAsked = NonNullable<paths["/api/experiments"]["get"]["parameters"]["query"]>;

/** A page of experiments, of all tasks or of one. */
export const experimentListQuery = (query: ExperimentListAsked) =>
  queryOptions({
    queryKey: keys.experimentList(query.task_id ?? null, query),
    queryFn: ({ signal }) => taken(client.GET("/api/experiments", { params: { query }, signal })),
    placeholderData: (before) => before,
  });
