export const MOST_COMPARED = 8;

/** `1,2,3` as numbers: each once, at most eight; anything else in it is left out. */
export function idsOf(text: string | undefined): number[] {
  const numbers = (text ?? "")
    .split(",")
    .map((part) => (/^[1-9]\d{0,15}$/.test(part.trim()) ? Number(part) : Number.NaN));
  return [...new Set(numbers.filter(Number.isSafeInteger))].slice(0, MOST_COMPARED);
}

export interface CompareSearch {
  ids?: string;
}

/** A single number comes out of the address as a number. */
export function compareSearch(given: Record<string, unknown>): CompareSearch {
  const ids = idsOf(String(given.ids ?? ""));
  return ids.length ? { ids: ids.join(",") } : {};
}
