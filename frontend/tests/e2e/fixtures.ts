import { test as base, type Page } from "@playwright/test";
import { Service } from "./service";

/** How many experiments the store of the service has from the beginning; a number of its own is a service of its own. */
export interface Filled {
  experiments: number;
}

/** What went wrong in a page. Nothing may, unless a test takes it out, as one that ends the service does. */
export type Trouble = string[];

interface Fixtures {
  trouble: Trouble;
}

interface Shared extends Filled {
  service: Service;
}

export const test = base.extend<Fixtures, Shared>({
  experiments: [0, { option: true, scope: "worker" }],

  service: [
    async ({ experiments }, use) => {
      const service = await Service.start(experiments);
      await use(service);
      await service.end();
    },
    { scope: "worker", timeout: 300_000 },
  ],

  baseURL: async ({ service }, use) => use(service.address),

  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads which fixtures are wanted from the pattern.
  trouble: async ({}, use) => {
    const trouble: Trouble = [];
    await use(trouble);
    expect(trouble).toEqual([]);
  },

  /** A page of a browser that is signed in; what it logs as an error fails the test. */
  page: async ({ page, service, trouble }, use) => {
    watch(page, trouble);
    await page.goto(service.page);
    await use(page);
  },
});

export const { expect } = test;
export type { Page } from "@playwright/test";

function watch(page: Page, trouble: Trouble): void {
  page.on("console", (message) => {
    if (message.type() === "error") trouble.push(message.text());
  });
  page.on("pageerror", (error) => trouble.push(String(error)));
}
