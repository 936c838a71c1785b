import { queryOptions } from "@tanstack/react-query";
import { client, taken } from "@/api/client";
import { keys } from "@/api/keys";

/** All profiles, with what each is for. */
export const profileList = queryOptions({
  queryKey: keys.profiles,
  queryFn: ({ signal }) => taken(client.GET("/api/profiles", { signal })),
});
