import { queryOptions } from "@tanstack/react-query";
import { client, type Schema, taken } from "@/api/client";
import { keys } from "@/api/keys";

/** The presets that can be chosen for an engine. */
export const presetChoices = queryOptions({
  queryKey: [...keys.presets, "choices"],
  queryFn: async ({ signal }) =>
    (await taken(client.GET("/api/presets", { params: { query: { size: 200 } }, signal }))).items,
});

/** What several presets come to, and what they do not agree on. */
export const mergedPresets = (body: Partial<Schema<"MergeRequest">>) =>
  queryOptions({
    queryKey: [...keys.presets, "merged", body],
    queryFn: ({ signal }) => taken(client.POST("/api/presets/merge", { body: body as Schema<"MergeRequest">, signal })),
    retry: false,
  });
