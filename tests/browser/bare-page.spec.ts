/** The page that `fanfare dev` has by itself. */
import { expect, test } from "./fixtures.js";

test.use({ ownServer: "bare" });

test("shows in two windows what is published, also on another channel that is typed in", async ({
  server,
  openWindow,
  trouble,
}) => {
  const pages = [(await openWindow("/")).page, (await openWindow("/")).page];
  for (const page of pages) await expect(page.getByRole("status")).toHaveText("listening");
  await server.publish("hello", "Hello, world");
  await server.publish("hello", { count: 2 });
  const lines = ['hello 2 {"count":2}', 'hello 1 "Hello, world"'];
  for (const page of pages) await expect(page.getByRole("listitem")).toHaveText(lines);

  for (const page of pages) {
    await page.getByRole("textbox").fill("order:42");
    await page.getByRole("textbox").blur();
    await expect(page.locator("pre")).toContainText("/push/channels/order:42/messages");
  }
  await server.publish("hello", "no longer heard");
  await server.publish("order:42", "heard");
  for (const page of pages)
    await expect(page.getByRole("listitem")).toHaveText(['order:42 1 "heard"', ...lines]);
  expect(trouble).toEqual({ errors: [], elsewhere: [] });
});

test("says that messages may be missing after a crash of the server", async ({ server, openWindow }) => {
  const { page } = await openWindow("/");
  await expect(page.getByRole("status")).toHaveText("listening");
  await server.publish("hello", "before");
  await expect(page.getByRole("listitem")).toHaveText(['hello 1 "before"']);

  await server.kill("SIGKILL");
  await expect(page.getByRole("status")).toHaveText("no connection; trying again …");
  await server.startAgain();

  const missing = "some messages are missing: restarted";
  await expect(page.getByRole("listitem")).toHaveText([missing, 'hello 1 "before"']);
  await server.publish("hello", "after");
  await expect(page.getByRole("listitem")).toHaveText(['hello 1 "after"', missing, 'hello 1 "before"']);
});
