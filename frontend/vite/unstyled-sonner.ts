import type { Plugin } from "vite";

const INJECTION = /^__insertCSS\(".*"\);?$/m;

/**
 * Takes out of sonner the style that it would put into the page without a nonce, which the pages' policy forbids; main.tsx
 * imports the same as a file.
 */
export function unstyledSonner(): Plugin {
  return {
    name: "unstyled-sonner",
    apply: "build",
    transform(code, id) {
      if (!id.includes("/sonner/dist/index.mjs")) return null;
      if (!INJECTION.test(code)) this.error("sonner puts its style into the page in another way than before");
      return { code: code.replace(INJECTION, ""), map: null };
    },
  };
}
