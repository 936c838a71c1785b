import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { expect, type Page, test } from "./fixtures";

const SWEEP = resolve(import.meta.dirname, "../../../examples/aiconfigurator/agg");

/** Drop a file on the page, as from a folder of the desktop. */
async function drop(page: Page, path: string): Promise<void> {
  const text = await readFile(join(SWEEP, path), "utf-8");
  const files = await page.evaluateHandle(
    ({ text, name }) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([text], name));
      return transfer;
    },
    { text, name: path.split("/").at(-1) ?? path },
  );
  const target = page.getByRole("heading", { level: 1, name: "New task" });
  await target.dispatchEvent("dragover", { dataTransfer: files });
  await expect(page.getByText("Drop a task document or a file of aiconfigurator")).toBeVisible();
  await target.dispatchEvent("drop", { dataTransfer: files });
}

test("a dropped file of aiconfigurator says what is lost, and fills the form when it is taken", async ({ page }) => {
  await page.goto("/tasks/new");
  const model = page.getByLabel("Name or path");
  await expect(model).toHaveValue("tiny");

  await drop(page, "exp_config.yaml");
  const dialog = page.getByRole("dialog", { name: "Import" });
  await expect(dialog.getByText("aiconfigurator", { exact: true })).toBeVisible();
  const losses = dialog.getByRole("table", { name: "What comes over otherwise, or not at all" });
  await expect(losses.getByRole("row", { name: /gemm_quant_mode/ })).toContainText("fp8_block");
  await expect(model).toHaveValue("tiny"); // nothing is replaced before it is taken

  await dialog.getByRole("button", { name: "Put it into the form" }).click();
  await expect(dialog).toBeHidden();
  await expect(model).toHaveValue("Qwen/Qwen3-32B-FP8");
  await expect(page.getByRole("radio", { name: /^vllm/ })).toBeChecked();
  await expect(page.getByLabel("Scenario 1")).toHaveValue("D(4000,500)");
  await expect(page.getByRole("region", { name: "YAML" })).toContainText("Qwen/Qwen3-32B-FP8");
});
