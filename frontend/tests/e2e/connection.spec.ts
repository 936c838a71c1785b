import { expect, test } from "./fixtures";

test("a page finds its service again, and what has happened meanwhile", async ({ page, service, trouble }) => {
  await page.goto("/tasks");
  const live = page.getByRole("status").filter({ hasText: /^Live$/ });
  await expect(live).toBeVisible();
  await service.down();
  await expect(live).toBeHidden();
  await expect(page.getByText(/Not connected/)).toBeVisible();
  await service.upAgain();
  await expect(live).toBeVisible();
  const content = "task_name: made-elsewhere\nmodel: {id_or_path: tiny}\nparameters: {n_ubatch: [16, 32]}\n";
  const headers = { Origin: service.address };
  const made = await page.request.post("/api/tasks/import", { headers, data: { content } });
  expect(made.status()).toBe(201);
  await expect(page.getByRole("link", { name: "made-elsewhere" })).toBeVisible();
  trouble.length = 0; // the browser tells of each try that has failed
});
