/** Numbers of an address such as `1,2,3`; a lone one comes as a number. What is none is left out, also repetitions. */
export function idsOf(given: unknown): number[] {
  const parts = typeof given === "number" ? [given] : typeof given === "string" ? given.split(",").map(Number) : [];
  return [...new Set(parts.filter((id) => Number.isSafeInteger(id) && id > 0))];
}

/** The same as an address has them; undefined for none. */
export function idsText(ids: readonly number[]): string | number | undefined {
  return ids.length > 1 ? ids.join(",") : ids[0];
}
