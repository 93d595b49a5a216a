/** The page of the HTTP API, `{path}/docs`: all calls are there to read and to try, and nothing comes from elsewhere. */
import type { BrowserContextOptions, Page } from "@playwright/test";
import { expect, test } from "./fixtures.js";

const operation = (page: Page, summary: string) => page.locator(".opblock", { hasText: summary });

test("shows every call, with its parameters, its answers and their schemas", async ({
  server,
  openWindow,
  trouble,
}) => {
  const { page } = await openWindow("/push/docs");
  await expect(page.getByRole("heading", { name: "Fanfare" })).toBeVisible();
  const { paths } = (await (await fetch(`${server.url}/push/openapi.json`)).json()) as {
    paths: Record<string, object>;
  };
  const calls = Object.values(paths).flatMap((methods) => Object.keys(methods));
  await expect(page.locator(".opblock")).toHaveCount(calls.length);

  const history = operation(page, "Read the history");
  await history.getByRole("button", { name: /Read the history/ }).click();
  await expect(history.locator(".parameter__name")).toHaveText([/^channel/, "after", "limit"]);
  await history.getByRole("tab", { name: "Schema" }).first().click();
  await expect(history.locator(".model-box").first()).toContainText("oldest first");
  await expect(history.getByText("invalid_channel", { exact: true }).first()).toBeVisible();
  expect(trouble).toEqual({ errors: [], elsewhere: [] });
});

test("makes a call, with the key that is typed in", async ({ ownChannel, openWindow, trouble }) => {
  const { page } = await openWindow("/push/docs");
  const publish = operation(page, "Publish a message");
  await publish.getByRole("button", { name: /Publish a message/ }).click();
  await publish.getByRole("button", { name: "Try it out" }).click();
  await publish.getByPlaceholder("channel").fill(ownChannel);
  await publish.getByRole("button", { name: "Execute" }).click();
  const answer = publish.locator(".live-responses-table .response");
  await expect(answer).toContainText("201");
  await expect(answer).toContainText(ownChannel);
  expect(trouble).toEqual({ errors: [], elsewhere: [] });

  await page.getByRole("button", { name: "Authorize" }).click();
  const dialog = page.locator(".modal-ux");
  await dialog.getByRole("textbox").fill("a-key");
  await dialog.getByRole("button", { name: "Apply credentials" }).click();
  await dialog.getByRole("button", { name: "Close" }).click();
  const request = page.waitForRequest(/\/messages$/);
  await publish.getByRole("button", { name: "Execute" }).click();
  expect((await request).headers()).toMatchObject({ authorization: "Bearer a-key" });
});

const places: [string, BrowserContextOptions][] = [
  ["a large window, light", { colorScheme: "light", viewport: { width: 1280, height: 800 } }],
  ["a phone, dark", { colorScheme: "dark", viewport: { width: 390, height: 844 } }],
];
for (const [place, options] of places) {
  test(`fits into ${place}`, async ({ openWindow }) => {
    const { page } = await openWindow("/push/docs", options);
    await operation(page, "Publish a message")
      .getByRole("button", { name: /Publish a message/ })
      .click();
    await expect(page.getByText("invalid_channel", { exact: true })).toBeVisible();
    const { isDark, tooWide } = await page.evaluate(() => {
      const [red = 255] = getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g) ?? [];
      return {
        isDark: Number(red) < 128 && getComputedStyle(document.documentElement).colorScheme === "dark",
        tooWide: document.documentElement.scrollWidth - innerWidth,
      };
    });
    expect(isDark).toBe(options.colorScheme === "dark");
    expect(tooWide).toBe(0);
  });
}
