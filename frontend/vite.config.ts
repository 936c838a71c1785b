import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import { tanstackRouter } from "@tanstack/router-plugin/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { apiProxy } from "./vite/api-proxy.ts";
import { compressed } from "./vite/compressed.ts";
import { unstyledSonner } from "./vite/unstyled-sonner.ts";

/** Where `npm run dev` finds the service; `make dev` starts it there. */
const SERVICE = process.env.AUTOTUNER_API ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [
    tanstackRouter({ target: "react", autoCodeSplitting: true }),
    react(),
    tailwindcss(),
    unstyledSonner(),
    compressed(),
  ],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  // The server puts a new nonce in its place into every page it hands out.
  html: { cspNonce: "CSP_NONCE" },
  build: {
    outDir: "../src/autotuner/server/page/built",
    emptyOutDir: true,
    manifest: true,
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
  },
  server: { host: "127.0.0.1", port: 5173, strictPort: true, proxy: apiProxy(SERVICE) },
  test: {
    environment: "jsdom",
    include: ["tests/unit/**/*.test.{ts,tsx}"],
    setupFiles: ["tests/unit/setup.ts"],
    testTimeout: 30_000,
  },
});
