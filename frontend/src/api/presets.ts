import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { client, type Schema, taken } from "@/api/client";
import { keys } from "@/api/keys";
import type { paths } from "@/api/schema.gen";

export type Preset = Schema<"Preset">;
export type PresetRevision = Schema<"RevisionWithChanges">;
export type PresetFields = paths["/api/presets"]["post"]["requestBody"]["content"]["application/json"];
export type PresetsAsked = NonNullable<paths["/api/presets"]["get"]["parameters"]["query"]>;

const at = (preset_id: string) => ({ path: { preset_id } });

/** Presets are not told of by events: a list that was read longer ago is read anew when it is shown. */
const FRESH_MS = 30_000;

/** A list of presets. */
export const presetsQuery = (query: PresetsAsked) =>
  queryOptions({
    queryKey: keys.presetList(query),
    queryFn: ({ signal }) => taken(client.GET("/api/presets", { params: { query }, signal })),
    placeholderData: keepPreviousData,
    staleTime: FRESH_MS,
  });

/** One preset. */
export const presetQuery = (id: string) =>
  queryOptions({
    queryKey: keys.preset(id, "shown"),
    queryFn: ({ signal }) => taken(client.GET("/api/presets/{preset_id}", { params: at(id), signal })),
    staleTime: FRESH_MS,
  });

/** Its revisions, the oldest first. */
export const presetHistoryQuery = (id: string) =>
  queryOptions({
    queryKey: keys.preset(id, "history"),
    queryFn: ({ signal }) =>
      taken(client.GET("/api/presets/{preset_id}/history", { params: { ...at(id), query: { size: 200 } }, signal })),
    staleTime: FRESH_MS,
  });

/** What came of it in the stored tasks. */
export const presetAnalyticsQuery = (id: string) =>
  queryOptions({
    queryKey: keys.preset(id, "analytics"),
    queryFn: ({ signal }) => taken(client.GET("/api/presets/{preset_id}/analytics", { params: at(id), signal })),
    staleTime: FRESH_MS,
  });

/** Where a browser takes its file from. */
export const presetFile = (id: number): string => `/api/presets/${id}/export`;

export const createPreset = (body: PresetFields) => taken(client.POST("/api/presets", { body }));

/** Store it as the next revision, if `revision` is still the newest one. */
export const changePreset = (id: number, body: PresetFields, revision: number) =>
  taken(
    client.PUT("/api/presets/{preset_id}", {
      params: { ...at(String(id)), header: { "if-match": `"${revision}"` } },
      body,
    }),
  );

export const deletePreset = (id: number) =>
  taken(client.DELETE("/api/presets/{preset_id}", { params: at(String(id)) }));

export const duplicatePreset = (id: number, name: string) =>
  taken(client.POST("/api/presets/{preset_id}/duplicate", { params: at(String(id)), body: { name } }));

export const rollbackPreset = (id: number, revision: number) =>
  taken(client.POST("/api/presets/{preset_id}/rollback", { params: at(String(id)), body: { revision } }));

/** Store the preset of a file, as it is: the service says what is wrong with it. */
export const importPreset = (text: string, on_conflict?: "rename" | "replace") =>
  taken(
    client.POST("/api/presets/import", {
      params: { query: { ...(on_conflict && { on_conflict }) } },
      body: text as never,
      bodySerializer: (given) => given as unknown as string,
    }),
  );
