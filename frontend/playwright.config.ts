import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { defineConfig } from "@playwright/test";
import type { Filled } from "./tests/e2e/fixtures";

const BROWSERS = ["chromium", "chromium-browser", "google-chrome"];

/** The browser of the system; Playwright's own is not downloaded. */
function browser(): string {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = BROWSERS.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
  if (!found) throw new Error(`None of ${BROWSERS.join(", ")} is on the PATH`);
  return found;
}

export default defineConfig<object, Filled>({
  testDir: "tests/e2e",
  testMatch: "**/*.spec.ts",
  outputDir: "test-results",
  workers: 1,
  timeout: 120_000,
  expect: { timeout: 30_000 },
  reporter: "list",
  use: {
    browserName: "chromium",
    trace: "retain-on-failure",
    viewport: { width: 1280, height: 900 },
    launchOptions: {
      executablePath: browser(),
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-proxy-server"],
    },
  },
  projects: [
    { name: "empty", testIgnore: ["**/filled*.spec.ts", "**/whole*.spec.ts"] },
    { name: "whole", testMatch: "**/whole*.spec.ts" }, // a service of its own, so that its folder is empty
    { name: "filled", testMatch: "**/filled*.spec.ts", use: { experiments: 1000 } },
  ],
});
