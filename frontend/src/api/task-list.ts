import { queryOptions } from "@tanstack/react-query";
import { client, taken } from "@/api/client";
import { keys } from "@/api/keys";
import type { paths } from "@/api/schema.gen";

/** Which tasks, in which order. */
export type TaskListAsked = NonNullable<paths["/api/tasks"]["get"]["parameters"]["query"]>;

/** A page of tasks. The one before is shown while another is on its way. */
export const taskListQuery = (query: TaskListAsked) =>
  queryOptions({
    queryKey: keys.taskList(query),
    queryFn: ({ signal }) => taken(client.GET("/api/tasks", { params: { query }, signal })),
    placeholderData: (before) => before,
  });
