import { expect, test } from "./fixtures";

const HOSTILE = "<img src=x onerror=window.hit=1><script>window.hit=1</script>";

test("what people wrote is shown as text, whatever it says", async ({ page, service }) => {
  const document = {
    task_name: HOSTILE,
    description: HOSTILE,
    base_runtime: "simulated",
    model: { id_or_path: "Qwen/Qwen3-32B" },
    parameters: { tp: [1, 2] },
    system_config: { gpu_type: "h200_sxm", total_gpus: 8 },
    benchmark: { traffic_scenarios: ["D(4000,500)"], num_concurrency: [64] },
  };
  const headers = { Origin: service.address };
  const made = await page.request.post("/api/tasks/", { headers, data: document });
  expect(made.status(), await made.text()).toBe(201);
  await page.goto("/tasks");
  await page.getByRole("link", { name: HOSTILE }).click();
  await expect(page.getByRole("heading", { level: 1, name: HOSTILE })).toBeVisible();
  expect(await page.evaluate(() => "hit" in window)).toBe(false);
});
