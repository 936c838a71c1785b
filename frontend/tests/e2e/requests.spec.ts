import { expect, type Page, test } from "./fixtures";

const HEARTBEAT_S = 15;
const IDLE_A_MINUTE = 1;
const RUNNING_A_MINUTE = 4;

/** What a page asks of the API, and what it hears over its live link. */
class Traffic {
  calls: string[] = [];
  events: string[] = [];
  private beat = (): void => {
    throw new Error("the page has opened no WebSocket");
  };

  private constructor(private readonly page: Page) {}

  /** Of the pages that are loaded from now on. */
  static async of(page: Page): Promise<Traffic> {
    const traffic = new Traffic(page);
    page.on("request", (request) => {
      if (new URL(request.url()).pathname.startsWith("/api/")) traffic.calls.push(request.url());
    });
    await page.routeWebSocket(/\/api\/ws/, (socket) => {
      socket.connectToServer().onMessage((message) => {
        traffic.events.push(JSON.parse(String(message)).type);
        socket.send(message);
        traffic.beat = () => socket.send(JSON.stringify({ type: "heartbeat" }));
      });
    });
    return traffic;
  }

  /** Leave out what was until now. */
  async begin(): Promise<void> {
    await expect(this.page.getByRole("main")).toBeVisible();
    await this.page.waitForLoadState("networkidle");
    this.calls = [];
    this.events = [];
  }

  /** Let minutes of the page's own clock pass, in which heartbeats come as ever. How many did, with those of the wall. */
  async pass(minutes: number): Promise<number> {
    const now = () => this.page.evaluate(() => Date.now());
    const begin = await now();
    for (let passed = 0; passed < minutes * 60; passed += HEARTBEAT_S) {
      await this.page.clock.runFor(HEARTBEAT_S * 1000);
      this.beat();
    }
    return ((await now()) - begin) / 60_000;
  }

  /** The calls that events may cause on the list of tasks: see `causes`. */
  get caused(): number {
    return this.events.filter(causes).length;
  }
}

/**
 * Whether an event makes the list of tasks old, which costs one call: what a task itself has become, and that events
 * were missed. How far it is, its experiments and its log are no part of the list, or are shown as they are heard.
 */
const causes = (type: string): boolean => type === "resync" || (type.startsWith("task_") && type !== "task_progress");

async function startTask(page: Page, engine: RegExp): Promise<void> {
  await page.getByRole("link", { name: "New task" }).first().click();
  const radio = page.getByRole("radio", { name: engine });
  await radio.click();
  await expect(radio).toBeChecked();
  const start = page.getByRole("button", { name: "Create and start" });
  await expect(start).toBeEnabled();
  await start.click();
  await expect(page.getByRole("navigation", { name: "Parts of the task" })).toBeVisible();
}

test("an idle list of tasks asks at most once a minute", async ({ page }) => {
  await page.clock.install();
  const traffic = await Traffic.of(page);
  await page.goto("/tasks");
  await traffic.begin();
  const minutes = await traffic.pass(20);
  expect(traffic.calls.length).toBeLessThanOrEqual(IDLE_A_MINUTE * minutes + traffic.caused);
});

test("a list with a running task asks at most four times a minute, and for events", async ({ page }) => {
  await startTask(page, /^llamacpp/);
  const head = page.getByRole("main").locator("header").first();
  await expect(head.getByText("Running")).toBeVisible();
  const task = page.url();

  await page.clock.install();
  const traffic = await Traffic.of(page);
  await page.goto("/tasks");
  await expect(page.getByRole("region", { name: "Tasks" }).getByRole("cell", { name: "Running" })).toBeVisible();
  await traffic.begin();
  await expect.poll(() => traffic.events).toContain("task_progress");
  const minutes = await traffic.pass(10);
  expect(traffic.calls.length).toBeLessThanOrEqual(RUNNING_A_MINUTE * minutes + traffic.caused);

  await page.goto(task);
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: /Cancel the task/ }).click();
  await expect(head.getByText("Cancelled")).toBeVisible();
});

test("a list asks no more than that while a task goes from its start to its end", async ({ page, context }) => {
  test.setTimeout(600_000);
  const traffic = await Traffic.of(page);
  await page.goto("/tasks");
  await traffic.begin();
  const begin = Date.now();
  const other = await context.newPage();
  await other.goto("/");
  await startTask(other, /^simulated/);
  const name = (await other.getByRole("heading", { level: 1 }).textContent()) ?? "";
  await other.close();
  const line = page.getByRole("row").filter({ has: page.getByRole("link", { name, exact: true }) });
  await expect(line.getByRole("cell", { name: "Completed" })).toBeVisible({ timeout: 300_000 });
  const minutes = (Date.now() - begin) / 60_000;
  expect(traffic.events).toEqual(expect.arrayContaining(["task_started", "experiment_completed", "task_completed"]));
  expect(traffic.calls.length).toBeLessThanOrEqual(RUNNING_A_MINUTE * minutes + traffic.caused);
});
