import { useSyncExternalStore } from "react";

/** How the live link comes again when it is cut off. Times in seconds. */
export interface Profile {
  label: string;
  hint: string;
  base_s: number;
  cap_s: number;
  /** Tries before a person is asked to press a button. */
  attempts: number;
}

export const PROFILES = {
  normal: { label: "Normal", hint: "1 s to 30 s between tries, 10 tries", base_s: 1, cap_s: 30, attempts: 10 },
  "high-latency": {
    label: "High latency",
    hint: "2 s to 30 s between tries, 20 tries",
    base_s: 2,
    cap_s: 30,
    attempts: 20,
  },
  local: { label: "Local", hint: "0.5 s to 5 s between tries, 5 tries", base_s: 0.5, cap_s: 5, attempts: 5 },
} as const satisfies Record<string, Profile>;
export type ProfileName = keyof typeof PROFILES;

const KEY = "autotuner.live-profile";
const listeners = new Set<() => void>();

export function chosenProfile(): ProfileName {
  const kept = localStorage.getItem(KEY);
  return kept !== null && Object.hasOwn(PROFILES, kept) ? (kept as ProfileName) : "normal";
}

export function chooseProfile(name: ProfileName): void {
  localStorage.setItem(KEY, name);
  for (const tell of listeners) tell();
}

function subscribe(tell: () => void): () => void {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

export const useProfileName = (): ProfileName => useSyncExternalStore(subscribe, chosenProfile);
