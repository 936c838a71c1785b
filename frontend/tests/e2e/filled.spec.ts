import AxeBuilder from "@axe-core/playwright";
import { expect, type Page, test } from "./fixtures";

/** Every page with what makes it full, by a store whose first task has a thousand experiments. */
const PAGES = [
  "/",
  "/tasks",
  "/tasks/new",
  "/tasks/1",
  "/tasks/1/experiments",
  "/tasks/1/results",
  "/tasks/1/results?view=plots",
  "/tasks/1/results?view=experiments",
  "/tasks/1/results?view=files",
  "/compare?ids=1,2,3",
  "/tasks/1/log",
  "/tasks/1/configuration",
  "/experiments",
  "/experiments/1",
  "/presets",
  "/presets/1",
  "/settings",
];
const SERIOUS = new Set(["serious", "critical"]);

async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await page.waitForLoadState("networkidle");
}

for (const theme of ["light", "dark"] as const) {
  test(`every full page is accessible, ${theme}`, async ({ page }) => {
    test.setTimeout(600_000);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    for (const path of PAGES) {
      await open(page, path);
      const { violations } = await new AxeBuilder({ page }).analyze();
      const found = violations
        .filter(({ impact }) => SERIOUS.has(impact ?? ""))
        .map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary ?? ""}`);
      expect.soft(found, path).toEqual([]);
    }
  });
}

test("no page scrolls sideways on a narrow screen", async ({ page }) => {
  test.setTimeout(600_000);
  await page.setViewportSize({ width: 360, height: 740 });
  for (const path of PAGES) {
    await open(page, path);
    const wide = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth > clientWidth ? `${scrollWidth} of ${clientWidth} px` : "fits";
    });
    expect.soft(wide, path).toBe("fits");
  }
});
