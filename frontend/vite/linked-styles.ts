import type { Plugin } from "vite";

const TOASTS = /\/sonner\/dist\/index\.mjs(\?|$)/;
const INSERTED = /^__insertCSS\(".*"\);$/m;

/**
 * Keeps the toasts from putting a style element into the page: it would have no nonce, and the browser refuses it. Their
 * style sheet is imported as a file instead, in main.tsx.
 */
export function linkedStyles(): Plugin {
  return {
    name: "linked-styles",
    apply: "build",
    transform(code, id) {
      if (!TOASTS.test(id)) return null;
      if (!INSERTED.test(code))
        this.error("sonner inserts its styles otherwise than before: see vite/linked-styles.ts");
      return { code: code.replace(INSERTED, ""), map: null };
    },
  };
}
