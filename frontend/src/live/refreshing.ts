import type { QueryClient, QueryKey } from "@tanstack/react-query";

const SOON_MS = 200;
const APART_MS = 1000;

/** Makes answers old, those of many events at once. Waits for a call under way, and while the page is hidden. */
export class Refreshing {
  private readonly waiting = new Map<string, QueryKey>();
  private timer: ReturnType<typeof setTimeout> | null = null;
  private last = Number.NEGATIVE_INFINITY;
  private held = false;

  constructor(private readonly client: QueryClient) {}

  add(keys: readonly QueryKey[]): void {
    for (const key of keys) this.waiting.set(JSON.stringify(key), key);
    this.plan();
  }

  /** Everything that is shown is old. */
  all(): void {
    this.add([[]]);
  }

  /** Ask for nothing until it is let go. */
  hold(held: boolean): void {
    this.held = held;
    if (held) this.stop();
    else this.plan();
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private plan(): void {
    if (this.held || this.timer !== null || this.waiting.size === 0) return;
    const wait = Math.max(SOON_MS, this.last + APART_MS - Date.now());
    this.timer = setTimeout(() => this.flush(), wait);
  }

  private flush(): void {
    this.timer = null;
    this.last = Date.now();
    for (const [text, queryKey] of this.waiting) {
      // An answer that is on its way may be from before the event: it is asked for again when it has come.
      if (this.client.isFetching({ queryKey }) > 0) continue;
      this.waiting.delete(text);
      void this.client.invalidateQueries({ queryKey });
    }
    this.plan();
  }
}
