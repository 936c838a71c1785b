import createClient from "openapi-fetch";
import { asProblem, Unreachable } from "@/api/problem";
import type { components, paths } from "@/api/schema.gen";

/** Names a model of the OpenAPI document. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

/** The typed client. Paths, queries, bodies and answers are those of the OpenAPI document. */
export const client = createClient<paths>({ baseUrl: "/" });

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** The body of an answer; throws Problem or Unreachable. */
export async function taken<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call.catch((reason: unknown) => {
    if (reason instanceof DOMException && reason.name === "AbortError") throw reason;
    throw new Unreachable();
  });
  if (!response.ok) throw asProblem(response.status, error);
  return data as T;
}
