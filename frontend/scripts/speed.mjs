/**
 * How long a browser needs for what people do on full pages: `node scripts/speed.mjs PAGE REPEATS`, where PAGE is the
 * address that signs a browser in, of a service whose first task has a thousand experiments. Prints JSON: of each action
 * the milliseconds from the event to the frame that shows its effect, one figure per repeat.
 *
 * A table's effect has come when its rows have changed; a plot is interactive when the pointer's move over it is handled
 * and the next frame drawn.
 */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "@playwright/test";

const [signedIn, given] = process.argv.slice(2);
const repeats = Number(given);
const browsers = (process.env.PATH ?? "").split(delimiter).map((one) => join(one, "chromium"));
const browser = await chromium.launch({
  executablePath: browsers.find(existsSync),
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce" });
await page.goto(signedIn);
const { origin } = new URL(signedIn);
const found = {};

await page.goto(`${origin}/tasks/1/results?view=experiments`);
await page.locator("tbody tr").nth(20).waitFor();
found.rows = Number(
  (await page.getByText(/experiments; choose up to/).textContent()).replaceAll(",", "").match(/\d+/)[0],
);
for (const [name, act] of [
  ["sort", { kind: "sort" }],
  ["filter", { kind: "filter" }],
]) {
  found[name] = await page.evaluate(tableTimes, { ...act, repeats });
}

await page.goto(`${origin}/tasks/1/results?view=plots`);
await page.locator("canvas").first().waitFor();
await page.waitForLoadState("networkidle");
found.hover = await page.evaluate(hoverTimes, { repeats });

process.stdout.write(`${JSON.stringify(found)}\n`);
await browser.close();

/** Runs in the page. */
async function tableTimes({ kind, repeats }) {
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0))); // it is drawn
  const rows = () => document.querySelector("tbody").textContent;
  const headers = [...document.querySelectorAll("thead th button")];
  const field = document.querySelector('input[type="search"]');
  const setValue = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
  const act = (number) => {
    if (kind === "sort") headers[number % headers.length].click();
    else {
      setValue.call(field, ["fp8", "", "tp=4", "64", ""][number % 5]);
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  };
  const times = [];
  for (let number = 0; times.length < repeats && number < 4 * repeats; number++) {
    const before = rows();
    const begun = performance.now();
    act(number);
    while (rows() === before && performance.now() - begun < 2000) await frame();
    if (rows() !== before) times.push(performance.now() - begun);
    await frame();
  }
  return times;
}

/** Runs in the page. */
async function hoverTimes({ repeats }) {
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0))); // it is drawn
  const times = [];
  const canvases = [...document.querySelectorAll("canvas")];
  for (let number = 0; number < repeats; number++) {
    const canvas = canvases[number % canvases.length];
    canvas.scrollIntoView({ block: "center" });
    await frame();
    const box = canvas.getBoundingClientRect();
    const share = ((number * 7) % 17) / 17;
    const at = { clientX: box.x + box.width * share, clientY: box.y + box.height * 0.5, bubbles: true };
    const begun = performance.now();
    canvas.dispatchEvent(new MouseEvent("mousemove", at));
    await frame();
    times.push(performance.now() - begun);
  }
  return times;
}
