import { useSyncExternalStore } from "react";

/** In which time zone times are shown. */
export type TimeZone = "local" | "utc";
const KEY = "autotuner.time-zone";
const listeners = new Set<() => void>();

export const chosenTimeZone = (): TimeZone => (localStorage.getItem(KEY) === "utc" ? "utc" : "local");

export function chooseTimeZone(zone: TimeZone): void {
  if (zone === "local") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, zone);
  for (const tell of listeners) tell();
}

function subscribe(tell: () => void): () => void {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

export const useTimeZone = (): TimeZone => useSyncExternalStore(subscribe, chosenTimeZone);
