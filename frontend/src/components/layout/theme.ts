import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark" | "system";
const KEY = "autotuner.theme";
const listeners = new Set<() => void>();

function chosen(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

function show(): void {
  const theme = chosen();
  const dark = theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.classList.toggle("dark", dark);
  for (const tell of listeners) tell();
}

export function setTheme(theme: Theme): void {
  if (theme === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme);
  show();
}

function subscribe(tell: () => void): () => void {
  listeners.add(tell);
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", show);
  return () => {
    listeners.delete(tell);
    system.removeEventListener("change", show);
  };
}

/** What was chosen. */
export const useTheme = (): Theme => useSyncExternalStore(subscribe, chosen);

/** Whether dark is shown; plots are drawn anew when it changes. */
export const useIsDark = (): boolean =>
  useSyncExternalStore(subscribe, () => document.documentElement.classList.contains("dark"));
