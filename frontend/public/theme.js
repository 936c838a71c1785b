// Before the first paint: the theme that was chosen, or the system's.
try {
  const chosen = localStorage.getItem("autotuner.theme");
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("dark", dark);
} catch {
  // A browser that keeps nothing shows the light theme.
}
