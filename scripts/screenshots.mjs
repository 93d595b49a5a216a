/** `node scripts/screenshots.mjs`: takes the pictures of the gallery that the documents show. Run npm test before, which builds. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { chromium } from "@playwright/test";
import { findChromium } from "./chromium.mjs";
import { ROOT } from "./run.mjs";

/** @type {{ name: string, colorScheme: "light" | "dark", width: number, height: number }[]} */
const PICTURES = [
  { name: "gallery-light", colorScheme: "light", width: 1280, height: 800 },
  { name: "gallery-phone-dark", colorScheme: "dark", width: 390, height: 844 },
];

/** What a server would publish, so that there is something in every demo. */
const MESSAGES = [
  ["broadcast", "announced", { text: "Down in 1 hour for maintenance", level: "warning" }],
  ["hello", "signed-in", { user: "Ada", from: "Berlin" }],
  ["hello", "paid", { order: 42, amount: 12 }],
  ["hello", "signed-in", { user: "Grace", from: "Arlington" }],
  ["hello", "shipped", { order: 42, parcels: 2 }],
  ["chat:demo", "said", { name: "Ada", text: "Is the report out?" }],
  ["chat:demo", "said", { name: "Grace", text: "Two more minutes." }],
  ["toasts", "job-done", { title: "Report is ready", text: "Sales of the third quarter, 48 pages." }],
];

/** The states that are there. */
const STATES = [
  ["job:demo", { percent: 64, label: "Calculating" }],
  ["record:demo", { customer: "Lovelace & Co.", status: "Packed", notes: "Two parcels, by Friday." }],
  ["game:demo", { seats: { x: "one", o: "two" }, cells: { 0: "x", 4: "o", 2: "x", 1: "o" } }],
];

/** What the pictures show as the address, whichever port is free. */
const SITE = "http://localhost:3030";

for (const picture of PICTURES) {
  // One of its own, so that its logs are empty.
  const server = spawn(
    process.execPath,
    ["packages/server/bin/fanfare.js", "dev", "--port", "0", "--serve", "examples/gallery/dist"],
    { cwd: ROOT, stdio: ["ignore", "pipe", "ignore"] },
  );
  try {
    await take(picture, await portOf(server.stdout));
  } finally {
    server.kill();
  }
  console.log(`docs/${picture.name}.png`);
}

/**
 * @param {import("node:stream").Readable} output
 * @returns {Promise<string>}
 */
async function portOf(output) {
  let said = "";
  for await (const text of output) {
    said += String(text);
    const [, port] = /Page +http:\/\/localhost:(\d+)\//.exec(said) ?? [];
    if (port) return port;
  }
  throw new Error("The server ended before it said where it listens.");
}

/**
 * @param {(typeof PICTURES)[number]} picture
 * @param {string} port
 */
async function take({ name, colorScheme, width, height }, port) {
  const browser = await chromium.launch({
    executablePath: findChromium(process.env) ?? "chromium",
    args: [
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      "--disable-gpu",
      // Text without coloured edges makes smaller files.
      "--disable-lcd-text",
      `--host-resolver-rules=MAP localhost:3030 127.0.0.1:${port}`,
    ],
  });
  const page = await browser.newPage({ colorScheme, viewport: { width, height }, reducedMotion: "reduce" });
  await page.goto(SITE);
  await page.getByText("Connected", { exact: true }).waitFor();
  const channels = `http://localhost:${port}/push/channels`;
  const headers = { "Content-Type": "application/json" };
  for (const [channel, state] of STATES) {
    await fetch(`${channels}/${channel}/state`, { method: "PUT", headers, body: JSON.stringify(state) });
  }
  for (const [channel, event, data] of MESSAGES) {
    const body = JSON.stringify({ event, data });
    await fetch(`${channels}/${channel}/messages`, { method: "POST", headers, body });
  }
  // Somebody else is here, too, and edits the record.
  const other = await browser.newPage();
  await other.goto(SITE);
  await other.getByRole("button", { name: "Edit", exact: true }).click();
  await page.getByRole("button", { name: "Take 10 at once" }).click();
  await page.getByText("This window got 10 numbers").waitFor();
  await page.getByText(/\w+ \d+ edits this record\./).waitFor();
  await page.getByRole("region", { name: "Toasts" }).getByRole("listitem").waitFor();
  await page.getByText("shipped").last().waitFor();
  // The window takes the whole page, so that the toast stands at its end.
  const wholeHeight = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width, height: wholeHeight });
  await page.screenshot({ path: join(ROOT, "docs", `${name}.png`), animations: "disabled" });
  await browser.close();
}
