import { queryOptions } from "@tanstack/react-query";
import { client, type Schema, taken } from "@/api/client";
import { keys } from "@/api/keys";

export type Dashboard = Schema<"Dashboard">;

/** The service at a glance. */
export const dashboardQuery = queryOptions({
  queryKey: keys.dashboard,
  queryFn: ({ signal }) => taken(client.GET("/api/dashboard", { signal })),
});
