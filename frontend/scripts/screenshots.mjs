/**
 * Takes the pictures of the guide from a real run: `node scripts/screenshots.mjs AUTOTUNER FOLDER TASK`.
 *
 * AUTOTUNER is the command; its data folder holds the finished TASK (a number). A service is started for the time that
 * it takes, and ended by Ctrl-C as a user would.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "@playwright/test";

const [autotuner, folder, task] = process.argv.slice(2);
if (!autotuner || !folder || !task) throw new Error("usage: node scripts/screenshots.mjs AUTOTUNER FOLDER TASK");

/** Name of the picture, address, and height if not the usual one. */
const PICTURES = [
  ["page-results", `/tasks/${task}/results`, 1050],
  ["page-plots", `/tasks/${task}/results?view=plots`, 1050],
  ["page-new-task", "/tasks/new"],
  ["page-tasks", "/tasks", 420],
];
const SETTLED_MS = 3000; // of still pictures only: plots fade in

const browsers = (process.env.PATH ?? "").split(delimiter).map((one) => join(one, "chromium"));
const service = spawn(autotuner, ["serve", "--port", "0", "--json", "--no-worker"], {
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  let text = "";
  for await (const part of service.stdout.iterator({ destroyOnReturn: false })) {
    text += part;
    if (text.includes("\n}")) break;
  }
  const { address, page: signedIn } = JSON.parse(text.slice(text.indexOf("{"), text.indexOf("\n}") + 2));
  const browser = await chromium.launch({
    executablePath: browsers.find(existsSync),
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic"],
  });
  for (const colorScheme of ["light", "dark"]) {
    const page = await browser.newPage({
      colorScheme,
      reducedMotion: "reduce",
      viewport: { width: 1280, height: 800 },
    });
    await page.goto(signedIn);
    for (const [name, path, height = 800] of PICTURES) {
      await page.setViewportSize({ width: 1280, height });
      await page.goto(address + path);
      await page.waitForLoadState("networkidle");
      await page.waitForTimeout(SETTLED_MS);
      await page.screenshot({ path: join(folder, `${name}${colorScheme === "dark" ? "-dark" : ""}.png`) });
    }
    await page.close();
  }
  await browser.close();
} finally {
  const ended = once(service, "exit");
  service.kill("SIGINT");
  await ended;
}
