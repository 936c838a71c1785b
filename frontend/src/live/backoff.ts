import type { Profile } from "@/live/profiles";

const JITTER = 0.25;

/**
 * How long to wait before a try, milliseconds: min(base · 2^n, cap) ± 25 %, so that many pages do not come at once.
 * `attempt`: tries that have failed in a row, from 0. `random`: from [0, 1). Null: all tries are spent.
 */
export function waitBefore(profile: Profile, attempt: number, random: () => number): number | null {
  if (attempt >= profile.attempts) return null;
  const usual_s = Math.min(profile.base_s * 2 ** attempt, profile.cap_s);
  return usual_s * 1000 * (1 + JITTER * (2 * random() - 1));
}
