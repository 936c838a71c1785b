/** The part that differs: the cursor, folds and history of the rest stay. */
export function difference(old: string, next: string): { from: number; to: number; insert: string } {
  let from = 0;
  while (from < old.length && from < next.length && old[from] === next[from]) from += 1;
  let tail = 0;
  while (tail < old.length - from && tail < next.length - from && old.at(-1 - tail) === next.at(-1 - tail)) tail += 1;
  return { from, to: old.length - tail, insert: next.slice(from, next.length - tail) };
}
