import { queryOptions } from "@tanstack/react-query";
import { client, type Schema, taken } from "@/api/client";
import { keys } from "@/api/keys";

export type TaskView = Schema<"TaskView">;
export type TaskSummary = Schema<"TaskSummary">;
export type TaskStatus = Schema<"TaskStatus">;

const at = (task_id: number) => ({ params: { path: { task_id } } });

/** One task, with its document and why it waits. */
export const taskQuery = (id: number) =>
  queryOptions({
    queryKey: keys.taskPart(id, "shown"),
    queryFn: ({ signal }) => taken(client.GET("/api/tasks/{task_id}", { ...at(id), signal })),
  });

const planOf = (id: number, signal: AbortSignal) =>
  taken(client.GET("/api/tasks/{task_id}/plan", { ...at(id), signal }));
export type TaskPlan = Awaited<ReturnType<typeof planOf>>;

/** What a stored task would do on this host. */
export const taskPlanQuery = (id: number) =>
  queryOptions({ queryKey: keys.taskPart(id, "plan"), queryFn: ({ signal }) => planOf(id, signal) });

/** What a task's document says, and where each value comes from. */
export const taskConfigurationQuery = (id: number) =>
  queryOptions({
    queryKey: keys.taskPart(id, "configuration"),
    queryFn: ({ signal }) => taken(client.GET("/api/tasks/{task_id}/configuration", { ...at(id), signal })),
  });

/** The earlier runs of a task that was begun anew, the newest first. */
export const archivedRunsQuery = (id: number) => {
  const query = { run_of: id, archived: true, size: 200 } as const;
  return queryOptions({
    queryKey: keys.taskList(query),
    queryFn: ({ signal }) => taken(client.GET("/api/tasks", { params: { query }, signal })),
  });
};

/** The document of a task as text, with its profiles and presets carried out. */
export const taskYamlQuery = (id: number, form: "flat" | "structured" | undefined) =>
  queryOptions({
    queryKey: keys.taskPart(id, "document", { form }),
    queryFn: async ({ signal }) => {
      const query = { format: "yaml" as const, ...(form && { form }) };
      const call = client.GET("/api/tasks/{task_id}/export", {
        params: { path: { task_id: id }, query },
        parseAs: "text",
        signal,
      });
      return String(await taken(call));
    },
  });

/** Where a browser takes a file of a task from. */
export const taskFile = {
  yaml: (id: number, form?: "flat" | "structured") =>
    `/api/tasks/${id}/export?format=yaml${form === undefined ? "" : `&form=${form}`}`,
  json: (id: number) => `/api/tasks/${id}/export?format=json`,
  archive: (id: number) => `/api/tasks/${id}/archive`,
  /** At most the first 16 MiB, which is all that one call gives. */
  logs: (id: number, stream?: string) =>
    `/api/tasks/${id}/logs?limit=${16 * 1024 ** 2}${stream === undefined ? "" : `&stream=${encodeURIComponent(stream)}`}`,
};

export const startTask = (id: number) => taken(client.POST("/api/tasks/{task_id}/start", at(id)));
export const cancelTask = (id: number) => taken(client.POST("/api/tasks/{task_id}/cancel", at(id)));
export const pauseTask = (id: number) => taken(client.POST("/api/tasks/{task_id}/pause", at(id)));
export const resumeTask = (id: number) => taken(client.POST("/api/tasks/{task_id}/resume", at(id)));
export const retryTask = (id: number) => taken(client.POST("/api/tasks/{task_id}/retry", at(id)));
export const restartTask = (id: number) => taken(client.POST("/api/tasks/{task_id}/restart", at(id)));
export const clearTask = (id: number) => taken(client.POST("/api/tasks/{task_id}/clear", at(id)));
export const deleteTask = (id: number) => taken(client.DELETE("/api/tasks/{task_id}", at(id)));
export const restoreTask = (id: number) => taken(client.POST("/api/tasks/{task_id}/restore", at(id)));
export const purgeTask = (id: number) => taken(client.POST("/api/tasks/{task_id}/purge", at(id)));
export const duplicateTask = (id: number, name: string) =>
  taken(client.POST("/api/tasks/{task_id}/duplicate", { ...at(id), body: { name } }));
export const renameTask = (id: number, name: string, seen: number) =>
  taken(
    client.PATCH("/api/tasks/{task_id}", {
      params: { path: { task_id: id }, header: { "if-match": `"${seen}"` } },
      body: { name },
    }),
  );
