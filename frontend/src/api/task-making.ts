import { client, type Schema, taken } from "@/api/client";
import type { DocumentData } from "@/api/documents";

/** Makes a task. Sent again with the same key, it answers with the task that was made before. */
export const createTask = (document: DocumentData, key: string): Promise<Schema<"TaskView">> =>
  taken(
    client.POST("/api/tasks", {
      params: { header: { "idempotency-key": key } },
      body: document as Schema<"TaskDocument">,
    }),
  );

/** Puts a task into the queue. */
export const startTask = (id: number) =>
  taken(client.POST("/api/tasks/{task_id}/start", { params: { path: { task_id: id } } }));

/** A task's document, and the version that was seen. */
export async function editableTask(id: number): Promise<{ task: Schema<"TaskView">; etag: string | null }> {
  const call = client.GET("/api/tasks/{task_id}", { params: { path: { task_id: id } } });
  const task = await taken(call);
  return { task, etag: (await call).response.headers.get("etag") };
}

/** Gives a task another document; refused when it has changed since it was seen. */
export const replaceDocument = (id: number, document: DocumentData, etag: string | null): Promise<Schema<"TaskView">> =>
  taken(
    client.PUT("/api/tasks/{task_id}", {
      params: { path: { task_id: id }, header: etag ? { "if-match": etag } : {} },
      body: document as Schema<"TaskDocument">,
    }),
  );
