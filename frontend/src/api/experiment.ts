import { queryOptions } from "@tanstack/react-query";
import { client, type Schema, taken } from "@/api/client";
import { keys } from "@/api/keys";

export type ExperimentDetails = Schema<"ExperimentDetails">;
export type ExperimentComparison = Schema<"ExperimentComparison">;
export type Artefact = Schema<"Artefact">;

const at = (experiment_id: number) => ({ params: { path: { experiment_id } } });

/** One experiment with its server starts. */
export const experimentQuery = (id: number) =>
  queryOptions({
    queryKey: keys.experimentPart(id, "shown"),
    queryFn: ({ signal }) => taken(client.GET("/api/experiments/{experiment_id}", { ...at(id), signal })),
  });

/** The files that its server starts have left. */
export const artefactsQuery = (id: number) =>
  queryOptions({
    queryKey: keys.experimentPart(id, "artefacts"),
    queryFn: ({ signal }) =>
      taken(
        client.GET("/api/experiments/{experiment_id}/artefacts", {
          params: { path: { experiment_id: id }, query: { size: 100 } },
          signal,
        }),
      ),
  });

/** Where a browser takes one of them from. `show`: HTML as a page that is shut in, to stand in a frame. */
export const artefactAddress = (id: number, path: string, show = false): string =>
  `/api/experiments/${id}/artefacts/${path.split("/").map(encodeURIComponent).join("/")}${show ? "?show=true" : ""}`;

/** Experiments side by side. */
export const comparisonQuery = (ids: readonly number[]) =>
  queryOptions({
    queryKey: keys.comparison(ids),
    queryFn: ({ signal }) =>
      taken(client.GET("/api/experiments/compare", { params: { query: { ids: ids.join(",") } }, signal })),
  });

export const retryExperiment = (id: number) => taken(client.POST("/api/experiments/{experiment_id}/retry", at(id)));

/** The command, variables and files of the start that gave it its figures. Asking starts nothing. */
export const reproductionQuery = (id: number) =>
  queryOptions({
    queryKey: keys.experimentPart(id, "reproduction"),
    queryFn: ({ signal }) => taken(client.POST("/api/experiments/{experiment_id}/reproduce", { ...at(id), signal })),
  });
