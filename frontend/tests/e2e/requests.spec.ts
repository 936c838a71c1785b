import { expect, type Page, test } from "./fixtures";

const HEARTBEAT_S = 15;

/** How often the page asks the API within so many minutes of its own clock, while heartbeats come as ever. */
async function callsWithin(page: Page, path: string, minutes: number): Promise<string[]> {
  await page.clock.install();
  let beat = (): void => {
    throw new Error("the page has opened no WebSocket");
  };
  await page.routeWebSocket(/\/api\/ws/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => {
      socket.send(message);
      beat = () => socket.send(JSON.stringify({ type: "heartbeat" }));
    });
  });
  await page.goto(path);
  await expect(page.getByRole("main")).toBeVisible();
  await page.waitForLoadState("networkidle");
  const calls: string[] = [];
  page.on("request", (request) => {
    if (new URL(request.url()).pathname.startsWith("/api/")) calls.push(request.url());
  });
  for (let passed = 0; passed < minutes * 60; passed += HEARTBEAT_S) {
    await page.clock.runFor(HEARTBEAT_S * 1000);
    beat();
  }
  return calls;
}

test("an idle list of tasks asks at most once a minute", async ({ page }) => {
  expect((await callsWithin(page, "/tasks", 20)).length).toBeLessThanOrEqual(20);
});
