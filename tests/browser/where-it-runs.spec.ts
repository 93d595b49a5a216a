/** Places where a browser shows no ordinary page: under a policy, in frames and workers without an address, and while it connects. */
import { expect, test } from "./fixtures.js";

for (const query of ["", "sse=false"]) {
  test(`a policy that forbids connections is named at once (${query || "with streams"})`, async ({
    server,
    page,
  }) => {
    await page.goto(`${server.url}/policy.html?${query}`);
    const reasons = () => page.evaluate("reasons");
    await expect.poll(reasons).toContainEqual(expect.stringContaining("Content-Security-Policy forbids"));
    // Not by a time that ran out.
    expect(await reasons()).not.toContainEqual(expect.stringContaining("in time"));
  });
}

for (const name of ["srcdoc", "blob-worker"]) {
  test(`a path is that of the page: ${name}`, async ({ server, page }) => {
    await page.goto(`${server.url}/${name}.html`);
    await expect(page).toHaveTitle("listening");
  });
}

test("closing while it connects leaves the console silent", async ({ server, page }) => {
  const said: string[] = [];
  page.on("console", (message) => said.push(message.text()));
  await page.goto(`${server.url}/closing.html`);
  await expect(page).toHaveTitle("listening");
  expect(said.filter((text) => text.includes("WebSocket"))).toEqual([]);
});
