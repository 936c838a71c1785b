import { queryOptions } from "@tanstack/react-query";
import { client, type Schema, taken } from "@/api/client";
import { keys } from "@/api/keys";
import { asProblem, Unreachable } from "@/api/problem";

export type Health = Schema<"Health">;

/** What runs here. */
export const infoQuery = queryOptions({
  queryKey: keys.system("info"),
  queryFn: ({ signal }) => taken(client.GET("/api/system/info", { signal })),
});

/** What works, looked at now. A service whose database is down answers 503 with the same. */
export const healthQuery = queryOptions({
  queryKey: keys.system("health"),
  queryFn: async ({ signal }): Promise<Health> => {
    const { data, error, response } = await client.GET("/api/system/health", { signal }).catch(() => {
      throw new Unreachable();
    });
    const found: unknown = data ?? error;
    if (isHealth(found)) return found;
    throw asProblem(response.status, found);
  },
  retry: false,
});

function isHealth(found: unknown): found is Health {
  return typeof found === "object" && found !== null && "checks" in found;
}
