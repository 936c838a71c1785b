import { expect, test } from "./fixtures";

test("an idle list of tasks asks at most once a minute", async ({ page }) => {
  await page.clock.install();
  await page.goto("/tasks");
  await expect(page.getByRole("heading", { name: "Tasks", level: 1 })).toBeVisible();
  const calls: string[] = [];
  page.on("request", (request) => {
    if (new URL(request.url()).pathname.startsWith("/api/")) calls.push(request.url());
  });
  await page.clock.runFor("20:00");
  expect(calls.length).toBeLessThanOrEqual(20);
});
