import { isMapping, type Path } from "@/features/task-form/document/path";
import type { Data } from "@/features/task-form/document/text";
import { type JsonSchema, keysAt } from "@/features/task-form/schema/lookup";

/** A limit of the document. */
export interface Limit {
  metric: string;
  statistic: string;
  path: Path;
}

const BLOCK = "slo";

/** What of a figure can be limited; empty: it is limited as a whole. */
export const statisticsOf = (schema: JsonSchema, metric: string): string[] =>
  [...keysAt(schema, [BLOCK, metric]).keys()].filter((key) => keysAt(schema, [BLOCK, metric, key]).has("threshold"));

/** The limits of the document: of a statistic, or `{threshold: …}` alone, which is of the mean. */
export function limitsOf(schema: JsonSchema, data: Data): Limit[] {
  const block = data[BLOCK];
  if (!isMapping(block)) return [];
  return Object.entries(block).flatMap(([metric, given]) => {
    if (!isMapping(given) || !statisticsOf(schema, metric).length) return [];
    if ("threshold" in given) return [{ metric, statistic: "mean", path: [BLOCK, metric] }];
    return Object.entries(given)
      .filter(([, limit]) => isMapping(limit))
      .map(([statistic]) => ({ metric, statistic, path: [BLOCK, metric, statistic] }));
  });
}
