import { client, type Schema, taken } from "@/api/client";
import { startTask, type TaskView } from "@/api/tasks";

/** Make the task of the demonstration and put it into the queue. */
export async function startDemonstration(): Promise<TaskView> {
  const document = await taken(client.GET("/api/documents/demonstration"));
  const task = await taken(client.POST("/api/tasks", { body: document as Schema<"TaskDocument"> }));
  return startTask(task.id);
}
