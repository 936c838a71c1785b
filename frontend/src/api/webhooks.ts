import { queryOptions } from "@tanstack/react-query";
import { client, type Schema, taken } from "@/api/client";
import { keys } from "@/api/keys";

export type Webhook = Schema<"WebhookInfo">;
export type Delivery = Schema<"Delivery">;

/** The webhooks of the settings. */
export const webhooksQuery = queryOptions({
  queryKey: keys.webhooks,
  queryFn: ({ signal }) => taken(client.GET("/api/webhooks", { signal })),
});

/** A page of what was told to a webhook, the newest first. */
export const deliveriesQuery = (name: string, page: number) =>
  queryOptions({
    queryKey: keys.deliveries(name, { page }),
    queryFn: ({ signal }) =>
      taken(
        client.GET("/api/webhooks/{name}/deliveries", {
          params: { path: { name }, query: { page, size: 20 } },
          signal,
        }),
      ),
    placeholderData: (before) => before,
  });

/** Send a test now. */
export const testWebhook = (name: string) =>
  taken(client.POST("/api/webhooks/{name}/test", { params: { path: { name } } }));
