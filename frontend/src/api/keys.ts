/**
 * The one list of query keys, so that events (live/) invalidate exactly what they change:
 * everything about a task lies below `task(id)`, lists apart from it.
 */
export const keys = {
  taskLists: ["task-lists"] as const,
  taskList: (query: object) => ["task-lists", query] as const,
  task: (id: number) => ["tasks", id] as const,
  taskPart: (
    id: number,
    part: "shown" | "results" | "plan" | "deploy" | "subscribers" | "edited",
    query: object = {},
  ) => ["tasks", id, part, query] as const,
  experimentLists: ["experiment-lists"] as const,
  /** `taskId` null: across tasks. */
  experimentList: (taskId: number | null, query: object) => ["experiment-lists", taskId, query] as const,
  experiment: (id: number) => ["experiments", id] as const,
  experimentPart: (id: number, part: "shown" | "attempts" | "artefacts") => ["experiments", id, part] as const,
  comparison: (ids: readonly number[]) => ["comparisons", ...ids] as const,
  dashboard: ["dashboard"] as const,
  documentSchema: ["document-schema"] as const,
  startingDocument: ["starting-document"] as const,
  plan: (document: object) => ["plans", document] as const,
  presets: ["presets"] as const,
  profiles: ["profiles"] as const,
  engines: ["engines"] as const,
  system: (part: "info" | "health") => ["system", part] as const,
  webhooks: ["webhooks"] as const,
};
