import { queryOptions } from "@tanstack/react-query";
import { client, taken } from "@/api/client";
import { keys } from "@/api/keys";

/** All engines, and whether each can be started here. */
export const engineList = queryOptions({
  queryKey: keys.engines,
  queryFn: async ({ signal }) =>
    (await taken(client.GET("/api/engines", { params: { query: { size: 200 } }, signal }))).items,
});

const PAGE = 200;

/** The whole catalogue of an engine: some hundred parameters. */
export const engineParameters = (engine: string) =>
  queryOptions({
    queryKey: [...keys.engines, engine, "parameters"],
    queryFn: async ({ signal }) => {
      const page = (number: number) =>
        taken(
          client.GET("/api/engines/{engine}/parameters", {
            params: { path: { engine }, query: { size: PAGE, page: number } },
            signal,
          }),
        );
      const first = await page(1);
      const more = Math.ceil(first.total / PAGE) - 1;
      const rest = await Promise.all(Array.from({ length: Math.max(0, more) }, (_, index) => page(index + 2)));
      return { version: first.version, items: [first, ...rest].flatMap((one) => one.items) };
    },
  });

/** The structured blocks as an engine takes them. */
export const engineBlocks = (engine: string) =>
  queryOptions({
    queryKey: [...keys.engines, engine, "blocks"],
    queryFn: async ({ signal }) =>
      (await taken(client.GET("/api/engines/{engine}/blocks", { params: { path: { engine } }, signal }))).blocks,
  });
