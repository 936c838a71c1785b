/**
 * The one list of query keys, so that events (live/) invalidate exactly what they change:
 * everything about a task lies below `task(id)`, lists apart from it.
 */
export const keys = {
  taskLists: ["task-lists"] as const,
  taskList: (query: object) => ["task-lists", query] as const,
  tasks: ["tasks"] as const,
  task: (id: number) => ["tasks", id] as const,
  taskPart: (
    id: number,
    part: "shown" | "results" | "plan" | "document" | "configuration" | "deploy" | "subscribers" | "edited",
    query: object = {},
  ) => ["tasks", id, part, query] as const,
  experimentLists: ["experiment-lists"] as const,
  /** `taskId` null: across tasks. */
  experimentListsOf: (taskId: number | null) => ["experiment-lists", taskId] as const,
  experimentList: (taskId: number | null, query: object) => ["experiment-lists", taskId, query] as const,
  experiments: ["experiments"] as const,
  experiment: (id: number) => ["experiments", id] as const,
  experimentPart: (id: number, part: "shown" | "attempts" | "artefacts" | "reproduction") =>
    ["experiments", id, part] as const,
  metricNames: ["metric-names"] as const,
  comparisons: ["comparisons"] as const,
  comparison: (ids: readonly number[]) => ["comparisons", ...ids] as const,
  dashboard: ["dashboard"] as const,
  documentSchema: ["document-schema"] as const,
  startingDocument: ["starting-document"] as const,
  plan: (document: object) => ["plans", document] as const,
  presets: ["presets"] as const,
  presetList: (query: object) => ["presets", "list", query] as const,
  preset: (id: string, part: "shown" | "history" | "analytics") => ["presets", id, part] as const,
  profiles: ["profiles"] as const,
  engines: ["engines"] as const,
  system: (part: "info" | "health") => ["system", part] as const,
  webhooks: ["webhooks"] as const,
  deliveries: (name: string, query: object) => ["webhooks", name, query] as const,
  /** How a running task stands, as the live link says it: no call answers it. */
  progresses: ["progress"] as const,
  progress: (taskId: number) => ["progress", taskId] as const,
};
