import { expect, type Page, test } from "./fixtures";

/** How often a mouse has been pressed, on the pages that are loaded from now on. */
async function presses(page: Page): Promise<() => number> {
  let count = 0;
  await page.exposeFunction("pressed", () => {
    count += 1;
  });
  await page.addInitScript(() => {
    addEventListener("pointerdown", () => (window as unknown as { pressed: () => void }).pressed(), { capture: true });
  });
  return () => count;
}

test("a task runs after at most four clicks, and is cancelled with its server", async ({ page, service }) => {
  const pressed = await presses(page);
  await page.goto(service.page);
  await page.getByRole("link", { name: "New task" }).first().click();
  const start = page.getByRole("button", { name: "Create and start" });
  await expect(start).toBeEnabled();
  await start.click();
  const head = page.getByRole("main").locator("header").first();
  await expect(head.getByText("Running")).toBeVisible();
  expect(pressed()).toBeGreaterThan(0); // they are counted
  expect(pressed()).toBeLessThanOrEqual(4);

  await page.getByRole("button", { name: "Cancel" }).click();
  await page
    .getByRole("alertdialog")
    .or(page.getByRole("dialog"))
    .getByRole("button", { name: /Cancel the task/ })
    .click();
  await expect(head.getByText("Cancelled")).toBeVisible();
});
