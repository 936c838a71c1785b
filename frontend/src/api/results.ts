import { queryOptions } from "@tanstack/react-query";
import { client, type Schema, taken } from "@/api/client";
import { keys } from "@/api/keys";

export type TaskResult = Schema<"TaskResultShown">;
export type Experiment = Schema<"ExperimentSummary">;
export type Gain = Schema<"GainFigure">;
export type SloLine = Schema<"SloLine">;
export type MetricName = Schema<"MetricName">;
export type DeployFiles = Schema<"DeployFiles">;

/** What a task came to, or has measured until now. */
export const resultQuery = (id: number) =>
  queryOptions({
    queryKey: keys.taskPart(id, "results"),
    // The client's types turn pairs into lists; the document says that they are pairs.
    queryFn: async ({ signal }) =>
      (await taken(
        client.GET("/api/tasks/{task_id}/results", { params: { path: { task_id: id } }, signal }),
      )) as TaskResult,
  });

/** The files that start the winner, or another experiment of the task. */
export const deployQuery = (id: number, asked: { experiment?: number; host?: string; port?: number }) =>
  queryOptions({
    queryKey: keys.taskPart(id, "deploy", asked),
    // With `file` the answer would be text; it is never asked for here.
    queryFn: async ({ signal }) =>
      (await taken(
        client.GET("/api/tasks/{task_id}/deploy", { params: { path: { task_id: id }, query: asked }, signal }),
      )) as DeployFiles,
  });

/** What metrics are called, and their units. It never changes while a page is open. */
export const metricNamesQuery = queryOptions({
  queryKey: keys.metricNames,
  queryFn: ({ signal }) => taken(client.GET("/api/experiments/metric-names", { signal })),
});

/** Where a browser takes a report from. */
export const reportAddress = (id: number, format: "html" | "csv" | "json", download: boolean): string =>
  `/api/tasks/${id}/report?format=${format}${download ? "&download=true" : ""}`;
