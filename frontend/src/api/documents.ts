import { queryOptions } from "@tanstack/react-query";
import { client, type Schema, taken } from "@/api/client";
import { keys } from "@/api/keys";

/** A task document as plain data; the service says what is wrong with it. */
export type DocumentData = Record<string, unknown>;

export interface Wish {
  model?: string | undefined;
  engine?: string;
  profiles?: readonly string[];
}

/** The JSON Schema of documents. It stays the same while the service runs. */
export const documentSchema = queryOptions({
  queryKey: keys.documentSchema,
  queryFn: ({ signal }) => taken(client.GET("/api/documents/schema", { signal })),
});

/** A document to start from, with a free name. Never kept: names are taken. */
export function startingDocument(wish: Wish): Promise<Schema<"StartingPoint">> {
  const query = {
    ...(wish.model && { model: wish.model }),
    ...(wish.engine && { engine: wish.engine }),
    ...(wish.profiles?.length && { profile: [...wish.profiles] }),
  };
  return taken(client.GET("/api/documents/start", { params: { query } }));
}

/** The plan of a document, with what each command is. An older question is given up when a newer one is asked. */
export const planOf = (document: DocumentData) =>
  queryOptions({
    queryKey: keys.plan(document),
    // The client's types lose that pairs have two entries.
    queryFn: ({ signal }) =>
      taken(
        client.POST("/api/tasks/plan", {
          params: { query: { commands: 10 } },
          body: document as Schema<"TaskDocument">,
          signal,
        }),
      ) as Promise<Schema<"PlanSummary">>,
    retry: false,
    gcTime: 60_000,
  });

export type Form = Schema<"FormRequest">["form"];

export const inForm = (document: DocumentData, form: Form): Promise<Schema<"DocumentInForm">> =>
  taken(client.POST("/api/documents/form", { body: { document: document as Schema<"TaskDocument">, form } }));

/** What a file of aiconfigurator would become; nothing is stored. */
export const readAiconfigurator = (content: string): Promise<Schema<"ImportAnswer">> =>
  taken(
    client.POST("/api/aiconfigurator/import", { params: { query: { dry_run: true } }, body: { content } }),
  ) as Promise<Schema<"ImportAnswer">>;
