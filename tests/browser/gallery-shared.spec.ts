/** The gallery's demos of what windows share: a record that one at a time edits, numbers that nobody else has, and who is there. */
import type { Locator, Page } from "@playwright/test";
import { test as base, expect } from "./fixtures.js";

const test = base.extend<{ openGallery: () => Promise<Page> }>({
  openGallery: ({ openWindow }, use) =>
    use(async () => {
      const { page } = await openWindow("/");
      await expect(page.getByText("Connected", { exact: true })).toBeVisible();
      return page;
    }),
});
test.use({ ownServer: "gallery" });

const record = (page: Page) => page.getByRole("region", { name: "A shared record" });
const who = (page: Page) => record(page).getByRole("status").first();
const field = (page: Page, name: string) => record(page).getByRole("textbox", { name });
const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const last = (page: Page) => page.getByTestId("last-number");
const own = (page: Page) => page.getByRole("list", { name: "Numbers of this window" }).getByRole("listitem");
const chat = (page: Page) => page.getByRole("region", { name: "Chat", exact: true });
/** The names of those who are there, in one of the demos. */
const here = (demo: Locator) => demo.getByRole("region", { name: "Who is here" }).getByRole("listitem");
const cutOff = (page: Page) => page.getByRole("switch", { name: "Cut this window off the network" });

test.describe("without a fault", () => {
  test.afterEach(({ trouble }) => {
    expect(trouble).toEqual({ errors: [], elsewhere: [] });
  });

  test("one window edits the record, and the other sees who it is, and every change", async ({
    openGallery,
  }) => {
    const [one, two] = [await openGallery(), await openGallery()];
    await expect(who(one)).toHaveText("This record is free to edit.");
    await expect(field(one, "Status")).not.toBeEditable();

    await button(one, "Edit").click();
    await expect(who(one)).toHaveText(/^You edit this record, as \w+ \d+\.$/);
    await expect(who(two)).toHaveText(/^\w+ \d+ edits this record\.$/);
    await field(one, "Status").fill("Shipped");
    await field(one, "Notes").pressSequentially("Two parcels");
    await expect(field(two, "Status")).toHaveValue("Shipped");
    await expect(field(two, "Notes")).toHaveValue("Two parcels");
    await expect(field(two, "Notes")).not.toBeEditable();

    await button(two, "Edit").click();
    await expect(record(two)).toContainText("Somebody else has the lock");

    await button(one, "Done").click();
    await expect(who(two)).toHaveText("This record is free to edit.");
    await expect(record(two)).not.toContainText("Somebody else has the lock");
    await button(two, "Edit").click();
    await field(two, "Status").fill("Delivered");
    await expect(field(one, "Status")).toHaveValue("Delivered");

    // Whoever closes his window edits nothing any more; who comes late sees what there is.
    await two.close({ runBeforeUnload: false });
    await expect(who(one)).toHaveText("This record is free to edit.");
    const late = await openGallery();
    await expect(field(late, "Status")).toHaveValue("Delivered");
  });

  test("each window sees the others by the same names, and who comes and goes", async ({ openGallery }) => {
    const one = await openGallery();
    await expect(here(record(one))).toHaveText([/^\w\w+ \d+you$/]);
    const two = await openGallery();
    for (const demo of [record, chat]) {
      await expect(here(demo(two))).toHaveText([/you$/, /\d$/]);
      await expect(here(demo(one))).toHaveText([/you$/, /\d$/]);
      const [own, other] = await here(demo(one)).allTextContents();
      expect(await here(demo(two)).allTextContents()).toEqual([`${other}you`, own?.replace("you", "")]);
    }
    // It comes under this name wherever it does something.
    const [own = ""] = await here(record(two)).allTextContents();
    const name = own.slice(1).replace("you", "");
    await expect(record(one)).toContainText(`${name} came.`);
    await expect(two.getByLabel("Your name")).toHaveValue(name);
    await button(two, "Edit").click();
    await expect(who(one)).toHaveText(`${name} edits this record.`);

    // Who unsubscribes is gone at once: here without the gallery, which never does.
    await two.addScriptTag({ url: "/push/client.js" });
    await two.evaluate(
      'third = Fanfare.createClient({ url: "/push" }).subscribe("chat:demo", () => {}); undefined',
    );
    await expect(here(chat(one))).toHaveCount(3);
    await two.evaluate("third.unsubscribe()");
    await expect(here(chat(one))).toHaveCount(2);
    await expect(chat(one)).toContainText(/\w+ \d+ left\./);
  });

  test("no number is given twice, and every window sees the last one", async ({ openGallery }) => {
    const [one, two] = [await openGallery(), await openGallery()];
    await expect(last(one)).toHaveText("none yet");
    await Promise.all([one, two].map((window) => button(window, "Take 10 at once").click()));
    await button(two, "Take a number").click();
    for (const window of [one, two]) await expect(last(window)).toHaveText("21");
    await expect(own(one)).toHaveCount(10);
    await expect(own(two)).toHaveCount(11);
    const numbers = (await Promise.all([one, two].map((window) => own(window).allTextContents()))).flat();
    expect(numbers.map(Number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 21 }, (_, index) => index + 1),
    );
    const late = await openGallery();
    await expect(last(late)).toHaveText("21");
  });
});

test("a window that is cut off shows who was there, and is still the same when it is back", async ({
  openGallery,
}) => {
  const [one, two] = [await openGallery(), await openGallery()];
  await expect(here(chat(one))).toHaveCount(2);
  const names = await here(chat(one)).allTextContents();
  await cutOff(one).press("Space");
  await expect(chat(one).getByRole("region", { name: "Who was here" })).toBeVisible();
  await cutOff(one).press("Space");
  await expect(here(chat(one))).toHaveText(names);
  await expect(here(chat(two))).toHaveCount(2);
});

test("a window that is cut off for longer than its lease loses the lock, and says so", async ({
  openGallery,
}) => {
  const [one, two] = [await openGallery(), await openGallery()];
  await button(one, "Edit").click();
  await expect(who(one)).toContainText("You edit this record");
  await cutOff(one).press("Space");
  await expect(who(two)).toHaveText("This record is free to edit.");
  await expect(record(one)).toContainText(/The lock is lost: the lease of record:demo ended/);
  await expect(field(one, "Status")).not.toBeEditable();
  await button(two, "Edit").click();
  await expect(who(two)).toContainText("You edit this record");
  await cutOff(one).press("Space");
  await expect(who(one)).toHaveText(/^\w+ \d+ edits this record\.$/);
});
