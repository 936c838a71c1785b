import { readFile } from "node:fs/promises";
import { expect, type Page, test } from "./fixtures";

/** A real search of a real server takes so long at most, on a machine that has much else to do. */
const SEARCH_MS = 15 * 60_000;
const SMALL = { name: "Small batches", rows: { n_batch: "64, 128", n_ubatch: "32" } };
const LARGE = { name: "Large batches", rows: { n_batch: "128, 512", threads: "1", max_model_len: "512" } };

test("from an empty folder, through the pages alone, to the files that start the winner", async ({ page, context }) => {
  test.setTimeout(SEARCH_MS + 10 * 60_000);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);

  await test.step("the folder is empty", async () => {
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Tasks" }).click();
    await expect(page.getByText("There are no tasks yet")).toBeVisible();
  });
  await test.step("two presets of one's own are made", async () => {
    await makePreset(page, SMALL);
    await makePreset(page, LARGE);
  });
  await test.step("a task is filled in from a profile and both presets", () => fillIn(page));
  const shares = await test.step("it is watched to its end", () => watchToTheEnd(page));
  expect(new Set(shares).size, `progress was shown as ${shares.join(", ")} %`).toBeGreaterThan(2);

  await page.getByRole("navigation", { name: "Parts of the task" }).getByRole("link", { name: "Results" }).click();
  const verdict = page.getByRole("region", { name: "Verdict" });
  await expect(verdict.getByRole("heading")).toContainText(/baseline/i);
  await expect(verdict.getByText("server starts")).toBeVisible();
  await test.step("two experiments are compared", () => compareTwo(page));
  await test.step("reports are taken away", () => takeReports(page));
  await test.step("the files that start it are copied", () => copyFiles(page));
});

const part = (page: Page, name: string) =>
  page.getByRole("navigation", { name: "Parts of the result" }).getByRole("link", { name, exact: true });

async function makePreset(page: Page, preset: { name: string; rows: Record<string, string> }): Promise<void> {
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Presets" }).click();
  await page.getByRole("link", { name: "New preset" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "New preset" })).toBeVisible();
  await page.getByLabel("Name", { exact: true }).fill(preset.name);
  await page.getByLabel("Engine").selectOption("llamacpp");
  for (const [place, [name, values]] of Object.entries(preset.rows).entries()) {
    await page.getByRole("button", { name: "Add a parameter" }).click();
    await page.getByLabel(`Name of parameter ${place + 1}`).fill(name);
    await page.getByLabel(`Values of ${name}, with commas`).fill(values);
  }
  await page.getByRole("button", { name: "Store the preset" }).click();
  await expect(page.getByRole("heading", { level: 1, name: preset.name })).toBeVisible();
}

async function fillIn(page: Page): Promise<void> {
  await page.getByRole("link", { name: "New task" }).first().click();
  await page.getByRole("checkbox", { name: /^quick-test/ }).click();
  const name = page.getByLabel("Name", { exact: true });
  await expect(name).toHaveValue(/quick-test/); // the document is made anew for the profile

  await page.getByRole("checkbox", { name: "Use parameter presets" }).check();
  for (const preset of [SMALL, LARGE]) await page.getByRole("checkbox", { name: preset.name }).check();
  const merged = page.getByRole("table", { name: "What they come to for llamacpp" });
  await expect(merged.getByRole("row", { name: /n_batch/ })).toContainText("64, 128, 512");
  await expect(merged.getByRole("row", { name: /threads/ })).toContainText("1");
  await expect(page.getByRole("list", { name: "Conflicts" })).toContainText("n_batch");

  await name.fill("whole-path");
  await page.getByLabel("Scenario 1").fill("D(16,16)");
  await page.getByLabel("Max time per iteration").fill("1");
  await page.getByText("More of the workload").click();
  await page.getByLabel("Warmup requests").fill("2");
  await page.getByRole("button", { name: "Limit", exact: true }).click();
  await page.getByLabel("At most (s)").fill("60"); // so that it is kept whatever else the machine does
  await page.getByLabel("Hard", { exact: true }).check();
  await page.getByLabel("Max iterations").fill("3");
  await page.getByText("More of the optimization").click();
  const confirm = page.getByRole("group", { name: "Confirm" });
  await confirm.getByLabel("Top K").fill("1");
  await confirm.getByLabel("Starts", { exact: true }).fill("2");
  await confirm.getByLabel("Max starts").fill("2");
}

/** Every share that was shown of the task's progress, in the order in which it was. */
async function watchToTheEnd(page: Page): Promise<number[]> {
  await page.evaluate(() => {
    const shown: string[] = [];
    Object.assign(window, { shown });
    const look = () => {
      const share = document.querySelector("[role=progressbar]")?.getAttribute("aria-valuenow");
      if (share && share !== shown.at(-1)) shown.push(share);
    };
    new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
  });
  await page.getByRole("button", { name: "Create and start" }).click();
  const head = page.getByRole("main").locator("header").first();
  await expect(head.getByText("Running")).toBeVisible();
  await expect(page.getByRole("region", { name: "What runs now" })).toContainText(/Baseline|Experiment \d/);
  await expect(page.getByRole("region", { name: "Best so far" })).toContainText(/Baseline \d/, { timeout: SEARCH_MS });
  await expect(head.getByText("Completed")).toBeVisible({ timeout: SEARCH_MS });
  const shown = await page.evaluate(() => (window as unknown as { shown: string[] }).shown);
  return shown.map(Number);
}

async function compareTwo(page: Page): Promise<void> {
  await part(page, "Experiments").click();
  await page.getByRole("checkbox", { name: /^Select .*baseline/ }).check();
  await page.getByRole("checkbox", { name: /^Select #1\b/ }).check();
  await page.getByRole("link", { name: "Compare 2" }).click();
  const table = page.getByRole("table", { name: "Experiments side by side" });
  await expect(table.getByRole("link", { name: /^#\d/ })).toHaveCount(2);
  await expect(table.getByRole("row", { name: /n_batch/ })).toBeVisible();
  await expect(table.getByRole("row", { name: /TTFT, mean/ })).toContainText(/\d m?s/);
  await expect(table.getByRole("row", { name: /hard SLOs/ }).getByText("met")).toHaveCount(2);
  await page.goBack();
  await expect(page.getByText("2 of at most 8 chosen")).toBeVisible();
}

async function takeReports(page: Page): Promise<void> {
  await part(page, "Reports and files").click();
  const csv = (await taken(page, "Experiments (CSV)")).trim().split(/\r?\n/);
  expect(csv[0]).toContain("parameter.n_batch");
  expect(csv[1]).toMatch(/^0,baseline,/);
  const result = JSON.parse(await taken(page, "Everything (JSON)"));
  expect(result.task_name).toBe("whole-path");
  expect(result.status).toBe("completed");
  expect(result.experiments).toHaveLength(csv.length - 1);
  const html = await taken(page, "Report (HTML)");
  expect(html).toMatch(/^<!doctype html>/i);
  expect(html).toContain("whole-path");
}

/** The text of a report that is downloaded. */
async function taken(page: Page, label: string): Promise<string> {
  const begins = page.waitForEvent("download");
  await page.getByRole("listitem").filter({ hasText: label }).getByRole("link", { name: "Download" }).click();
  return readFile(await (await begins).path(), "utf-8");
}

async function copyFiles(page: Page): Promise<void> {
  const script = page.getByRole("region", { name: "Shell script" });
  await expect(script.locator("pre")).toContainText("tiny");
  await script.getByRole("button", { name: /^Copy/ }).click();
  const text = await script.locator("pre").textContent();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(text);

  await page.getByLabel("Configuration", { exact: true }).selectOption("1"); // the first of the search, which may have lost
  const command = page.getByRole("region", { name: "Arguments of the server" });
  await expect(command.locator("pre")).toContainText(/--batch-size (64|128|512)\b/);
  await expect(command.locator("pre")).toContainText(/--threads 1\b/);
}
