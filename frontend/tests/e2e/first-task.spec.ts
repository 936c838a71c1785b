import { expect, test } from "./fixtures";

test("a task runs after at most four clicks, and is cancelled with its server", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("link", { name: "New task" }).first().click();
  const start = page.getByRole("button", { name: "Create and start" });
  await expect(start).toBeEnabled();
  await start.click();
  const head = page.getByRole("main").locator("header").first();
  await expect(head.getByText("Running")).toBeVisible();

  await page.getByRole("button", { name: "Cancel" }).click();
  await page
    .getByRole("alertdialog")
    .or(page.getByRole("dialog"))
    .getByRole("button", { name: /Cancel the task/ })
    .click();
  await expect(head.getByText("Cancelled")).toBeVisible();
});
