/** The gallery, the first page that people see: what it shows, and what it says. */
import type { BrowserContextOptions, Page } from "@playwright/test";
import { test as base, expect, numbers } from "./fixtures.js";
import { count } from "./sockets.js";

const test = base.extend<{ openGallery: (options?: BrowserContextOptions) => Promise<Page> }>({
  /** Opens the gallery in a window, and waits until it listens to its channels. */
  openGallery: ({ openWindow }, use) =>
    use(async (options) => {
      const { page, sockets } = await openWindow("/", options);
      await isConnected(page);
      await expect.poll(() => count(sockets.received, "ok")).toBe(1);
      return page;
    }),
});
test.use({ ownServer: "gallery" });

/** The channel of the live log: the one that the documents publish to. */
const LOG = "hello";

const banner = (page: Page) => page.getByRole("status", { name: "Broadcast" });
const toasts = (page: Page) => page.getByRole("region", { name: "Toasts" }).getByRole("listitem");
const rows = (page: Page) => page.getByRole("region", { name: "Rows of the log" }).getByRole("listitem");
const bar = (page: Page) => page.getByRole("progressbar", { name: "Progress of the job" });
const lines = (page: Page) => page.getByRole("region", { name: "Lines of the chat" }).getByRole("listitem");
const game = (page: Page) => page.getByRole("region", { name: "A game for two" });
const cell = (page: Page, name: string) => game(page).getByRole("button", { name });
const panel = (page: Page) => page.getByRole("region", { name: "This window’s connection" });
const cutOff = (page: Page) => page.getByRole("switch", { name: "Cut this window off the network" });

async function say(page: Page, name: string, text: string): Promise<void> {
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("Say something").fill(text);
  await page.getByLabel("Say something").press("Enter");
}

async function isConnected(page: Page): Promise<void> {
  await expect(panel(page).getByText("Connected", { exact: true })).toBeVisible();
}

test.describe("without a fault", () => {
  test.afterEach(({ trouble }) => {
    expect(trouble).toEqual({ errors: [], elsewhere: [] });
  });

  test("two windows show what a server publishes for each demo", async ({ server, openGallery }) => {
    const windows = [await openGallery(), await openGallery()];

    await server.patch("job:demo", { percent: 40, label: "Calculating" });
    await server.publish("toasts", { title: "Report is ready", text: "48 pages" }, "job-done");
    await server.publish("broadcast", { text: "Down at noon", level: "warning" }, "announced");
    await server.publish(LOG, { user: "Ada" }, "signed-in");

    for (const window of windows) {
      await expect(bar(window)).toHaveAttribute("aria-valuenow", "40");
      await expect(window.getByText("Calculating", { exact: true })).toBeVisible();
      await expect(toasts(window)).toHaveText([/Report is ready.*48 pages/]);
      await expect(banner(window)).toHaveText("WarningDown at noon");
      await expect(rows(window)).toHaveText([/^1.*signed-in.*{"user":"Ada"}$/]);
    }

    await server.publish("broadcast", null, "cleared");
    for (const window of windows) await expect(banner(window)).not.toContainText("Down at noon");
  });

  test("the buttons of one window publish to both", async ({ openGallery }) => {
    const [one, two] = [await openGallery(), await openGallery()];

    await one.getByRole("button", { name: "Start the job" }).click();
    await one.getByRole("button", { name: "Send the toast" }).click();
    await one.getByRole("button", { name: "Show in all windows" }).click();
    await one.getByRole("button", { name: "Publish", exact: true }).click();

    for (const window of [one, two]) {
      await expect(toasts(window)).toHaveText([/Report is ready/]);
      await expect(banner(window)).toContainText("Down in 1 hour for maintenance");
      await expect(rows(window)).toHaveText([/^1.*signed-in.*Berlin/]);
    }
    await one.getByRole("button", { name: "Take it back", exact: true }).click();
    await expect(banner(two)).toHaveText("Broadcasts appear here, in every window.");
    for (const window of [one, two]) await expect(bar(window)).toHaveAttribute("aria-valuenow", "100");
  });

  test("what is said in one window is read in both, and by one that comes late", async ({ openGallery }) => {
    const [one, two] = [await openGallery(), await openGallery()];
    await say(one, "Ada", "Hello");
    await expect(lines(two)).toHaveText(["Ada Hello"]);
    await say(two, "Grace", "<b>Hi</b>");
    for (const window of [one, two, await openGallery()]) {
      await expect(lines(window)).toHaveText(["Ada Hello", "Grace <b>Hi</b>"]);
    }
  });

  test("what is said while a window is cut off waits, and is there once when it is back", async ({
    openGallery,
  }) => {
    const [one, two] = [await openGallery(), await openGallery()];
    await cutOff(one).press("Space");
    await expect(panel(one)).toContainText("Reconnecting");
    await say(one, "Ada", "first");
    await say(one, "Ada", "second");
    await expect(one.getByText("2 waiting for the connection.")).toBeVisible();
    await say(two, "Grace", "meanwhile");
    await cutOff(one).press("Space");
    for (const window of [one, two]) {
      await expect(lines(window)).toHaveText(["Grace meanwhile", "Ada first", "Ada second"]);
    }
    await expect(one.getByText("waiting for the connection.")).toHaveCount(0);
  });

  test("two windows play, and a third that comes late watches", async ({ openGallery }) => {
    const [one, two] = [await openGallery(), await openGallery()];
    await game(one).getByRole("button", { name: "Play ✕" }).click();
    // Whoever is told of it too late is refused: another window was faster.
    await expect(game(two).getByText("Take a seat: ○.")).toBeVisible();
    await game(two).getByRole("button", { name: "Play ○" }).click();
    await expect(game(two).getByText("It is the turn of ✕.")).toBeVisible();
    await expect(cell(two, "Row 1, column 1")).toBeDisabled();
    for (const [window, place] of [
      [one, "Row 1, column 1"],
      [two, "Row 2, column 1"],
      [one, "Row 1, column 2"],
    ] as const) {
      await expect(game(window).getByText(/^Your turn/)).toBeVisible();
      await cell(window, `${place}: empty`).click();
    }
    const late = await openGallery();
    await expect(cell(late, "Row 2, column 1: ○")).toBeVisible();
    await expect(game(late).getByText("It is the turn of ○.")).toBeVisible();
    await expect(game(late).getByRole("button", { name: /^Play/ })).toHaveCount(0);
    // A reload is the same window.
    await two.reload();
    await expect(game(two).getByText("Your turn: ○.")).toBeVisible();
    await cell(two, "Row 2, column 2: empty").click();
    await expect(game(one).getByText("Your turn: ✕.")).toBeVisible();
    await cell(one, "Row 1, column 3: empty").click();
    await expect(game(one).getByText("You have won.")).toBeVisible();
    for (const window of [two, late]) await expect(game(window).getByText("✕ has won.")).toBeVisible();
    await game(late).getByRole("button", { name: "New game", exact: true }).click();
    await expect(game(one).getByText("Take a seat: ✕ or ○.")).toBeVisible();
  });

  test("a window that comes late sees the newest at once", async ({ server, openGallery }) => {
    for (const percent of [10, 20, 70]) {
      await server.patch("job:demo", { percent, label: `At ${percent}` });
    }
    await server.publish("broadcast", { text: "Still holds", level: "info" }, "announced");
    await server.publishAll(LOG, ["a", "b"]);
    const late = await openGallery();
    await expect(bar(late)).toHaveAttribute("aria-valuenow", "70");
    await expect(late.getByText("At 70")).toBeVisible();
    await expect(banner(late)).toContainText("Still holds");
    await expect(rows(late)).toHaveText([/"a"$/, /"b"$/]);
    await expect(toasts(late)).toHaveCount(0);
  });

  test("a window that is cut off gets what it missed, in order and once, and says so", async ({
    server,
    openGallery,
  }) => {
    const window = await openGallery();
    await server.publish(LOG, 0);
    await expect(rows(window)).toHaveText([/^1\d\d:.*message0$/]);

    await cutOff(window).press("Space");
    await expect(panel(window)).toContainText("Reconnecting");
    await server.publishAll(LOG, [1, 2, 3, 4, 5]);
    await expect(rows(window)).toHaveCount(1);
    await cutOff(window).press("Space");

    await isConnected(window);
    await expect(panel(window)).toContainText(
      /Back after .*\. 5 messages came while this window was cut off; all of them are here\./,
    );
    await server.publish(LOG, 6);
    await expect(rows(window)).toHaveText(
      [0, 1, 2, 3, 4, 5, 6].map((n) => new RegExp(`^${n + 1}\\d\\d:.*message${n}$`)),
    );
  });

  test("a window that was away for more than the log holds says how many are missing", async ({
    server,
    openGallery,
  }) => {
    const window = await openGallery();
    await cutOff(window).press("Space");
    await expect(panel(window)).toContainText("Reconnecting");
    await server.publishAll(LOG, numbers(1, 103));
    await cutOff(window).press("Space");

    const missing = "3 messages are missing (1 to 3): the log no longer held them.";
    await expect(panel(window)).toContainText(
      /100 messages came while this window was cut off and are here; others are not\./,
    );
    await expect(panel(window)).toContainText(`${LOG}: ${missing}`);
    await expect(rows(window)).toHaveCount(101);
    await expect(rows(window).first()).toHaveText(missing);
    await expect(rows(window).nth(1)).toHaveText(/^4\d\d:.*"4"$/);
    await expect(rows(window).last()).toHaveText(/^103\d\d:.*"103"$/);
  });

  test("everything that can be used has a name, and what changes is announced", async ({ openGallery }) => {
    const window = await openGallery();
    const cdp = await window.context().newCDPSession(window);
    const { nodes } = await cdp.send("Accessibility.getFullAXTree");
    const used = new Set([
      "button",
      "switch",
      "textbox",
      "radio",
      "radiogroup",
      "region",
      "img",
      "image",
      "progressbar",
      "link",
    ]);
    const found = nodes
      .filter(({ ignored, role }) => !ignored && used.has(String(role?.value)))
      .map(({ role, name }) => ({ role: String(role?.value), name: String(name?.value ?? "").trim() }));
    expect(found.filter(({ name }) => name === "")).toEqual([]);
    for (const role of ["button", "switch", "textbox", "radio", "region", "progressbar"]) {
      expect(found.map((each) => each.role)).toContain(role);
    }
    await expect(banner(window)).toBeAttached();
    await expect(panel(window).getByRole("status")).not.toHaveCount(0);
    await expect(window.getByRole("region", { name: "Toasts" }).locator("[aria-live=polite]")).toBeAttached();
    await expect(window.getByRole("heading", { level: 1 })).toHaveCount(1);
    await expect(window.locator("html")).toHaveAttribute("lang", "en");
  });

  test("fits a phone 360 pixels wide, long words included", async ({ server, openGallery }) => {
    const window = await openGallery({ viewport: { width: 360, height: 740 } });
    const long = "Donaudampfschifffahrtsgesellschaftskapitän".repeat(4);
    await server.patch("job:demo", { percent: 50, label: long });
    await server.publish("toasts", { title: long, text: long });
    await server.publish("broadcast", { text: long, level: "warning" });
    await server.publish(LOG, { long }, long);
    await server.publish("chat:demo", { name: long, text: long }, "said");
    await expect(toasts(window)).toHaveCount(1);
    await expect(rows(window)).toHaveCount(1);
    await expect(banner(window)).toContainText(long);
    for (const summary of await window.getByText("The code in the page").all()) await summary.click();
    const tooWide = await window.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth - clientWidth;
    });
    expect(tooWide).toBe(0);
  });
});

test("after restarts of the server the window is back and says that messages may be missing", async ({
  server,
  openGallery,
}) => {
  const window = await openGallery();
  await server.publish(LOG, "first");
  await expect(rows(window)).toHaveText([/"first"$/]);
  const missing =
    "Messages may be missing, how many is not known: the server was restarted, and its log began anew.";

  await server.kill("SIGTERM");
  await expect(panel(window)).toContainText("Reconnecting");
  await server.startAgain();
  await expect(panel(window)).toContainText(missing);
  await isConnected(window);
  await server.publish(LOG, "second");
  await expect(rows(window)).toHaveText([/"first"$/, missing, /"second"$/]);

  await server.kill("SIGKILL");
  await expect(panel(window)).toContainText("Reconnecting");
  await server.startAgain();
  await expect(rows(window)).toHaveText([/"first"$/, missing, /"second"$/, missing]);
  await server.publish(LOG, "third");
  await expect(rows(window)).toHaveText([/"first"$/, missing, /"second"$/, missing, /"third"$/]);
});
