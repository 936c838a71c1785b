import { queryOptions } from "@tanstack/react-query";
import { client, type Schema, taken } from "@/api/client";
import { keys } from "@/api/keys";

export type ExperimentShown = Schema<"ExperimentShown">;
export type ExperimentStatus = Schema<"ExperimentStatus">;
export type ExperimentOrigin = Schema<"ExperimentOrigin">;

/** Which of a task's experiments, in which order. */
export interface TaskExperimentsAsked {
  status?: ExperimentStatus[];
  origin?: ExperimentOrigin;
  slo_violation?: boolean;
  sort?: "number" | "objective_score";
  descending?: boolean;
  page?: number;
  size?: number;
}

/** A page of the experiments of a task. */
export const taskExperimentsQuery = (taskId: number, query: TaskExperimentsAsked) =>
  queryOptions({
    queryKey: keys.experimentList(taskId, query),
    queryFn: ({ signal }) =>
      taken(client.GET("/api/experiments/task/{task_id}", { params: { path: { task_id: taskId }, query }, signal })),
    placeholderData: (before) => before,
  });
