/** Where something lies in a document: keys and list indices, outermost first. */
export type Path = readonly (string | number)[];

/** As the service writes places: benchmark.num_concurrency, optimization.references.0.label. */
export const placeOf = (path: Path): string => path.join(".");

/** The keys of a place. An index may stand after a point or in brackets. */
export function pathOf(place: string): Path {
  return place
    .replaceAll(/\[(\d+)\]/g, ".$1")
    .split(".")
    .filter((part) => part !== "")
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** Whether `place` is the field itself or lies in it. */
export function isAt(place: string, field: Path): boolean {
  const inner = pathOf(place);
  return field.length <= inner.length && field.every((key, index) => String(key) === String(inner[index]));
}

/** The value there; undefined: nothing is given. */
export function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

export const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
