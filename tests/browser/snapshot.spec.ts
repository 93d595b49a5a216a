/** A page that loads its data and then listens: what is published in between is not missed. */
import type { Page } from "@playwright/test";
import { connection, expect, probe, test, told } from "./fixtures.js";

/** Holds the page's requests for data until the test answers them. */
async function holdData(page: Page) {
  const asked: ((text: string) => Promise<void>)[] = [];
  await page.route("**/data", (route) => {
    asked.push((text) => route.fulfill({ contentType: "text/plain", body: text }));
  });
  return {
    async isAsked(): Promise<void> {
      await expect.poll(() => asked.length).toBe(1);
    },
    async answer(text: string): Promise<void> {
      await this.isAsked();
      await asked.shift()?.(text);
    },
  };
}

test("a message that comes while the data loads follows the data", async ({ server, ownChannel, page }) => {
  const data = await holdData(page);
  await page.goto(`${server.url}${probe(ownChannel, "snapshot")}`);
  await data.isAsked();
  await server.publishAll(ownChannel, [1, 2]);
  await expect(told(page)).toHaveCount(0);
  await data.answer("what was before");
  await server.publish(ownChannel, 3);
  await expect(told(page)).toHaveText(["loaded what was before", "1", "2", "3"]);
});

test("a message between the load of the page and the subscription is in the data, which is read later", async ({
  server,
  ownChannel,
  page,
}) => {
  const data = await holdData(page);
  await page.goto(`${server.url}${probe(ownChannel, "later")}`);
  await server.publish(ownChannel, 1);
  await page.evaluate("listen({ snapshot: load })");
  await data.answer("with 1");
  await server.publish(ownChannel, 2);
  await expect(told(page)).toHaveText(["loaded with 1", "2"]);
});

test("a page that was rendered with a position gets all that came after it", async ({
  server,
  ownChannel,
  page,
}) => {
  const since = await server.publish(ownChannel, 1);
  await page.goto(`${server.url}${probe(ownChannel, "later")}`);
  await server.publishAll(ownChannel, [2, 3]);
  await page.evaluate(`listen({ since: ${JSON.stringify(since)} })`);
  await expect(told(page)).toHaveText(["2", "3"]);
  await server.publish(ownChannel, 4);
  await expect(told(page)).toHaveText(["2", "3", "4"]);
});

test.describe("after a restart of the server", () => {
  test.use({ ownServer: "tests" });

  test("the data is loaded again", async ({ server, ownChannel, page }) => {
    const data = await holdData(page);
    await page.goto(`${server.url}${probe(ownChannel, "snapshot")}`);
    await data.answer("the old");
    await expect(told(page)).toHaveText(["loaded the old"]);
    await server.kill("SIGKILL");
    await expect(connection(page)).not.toHaveText("listening");
    await server.startAgain();
    await data.answer("the new");
    await expect(told(page)).toHaveText([
      "loaded the old",
      "missing null to null: restarted",
      "loaded the new",
    ]);
  });
});
