/**
 * A browser whose tabs can be hidden and frozen, and whose timers slow down, as on somebody's desk. Playwright's own
 * contexts keep every page awake and in front.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type LaunchOptions } from "@playwright/test";

export interface OwnBrowser {
  readonly context: BrowserContext;
  close(): Promise<void>;
}

export async function startOwnBrowser({
  executablePath = "",
  args = [],
}: LaunchOptions): Promise<OwnBrowser> {
  const profile = mkdtempSync(join(tmpdir(), "fanfare-browser-"));
  const child = spawn(
    executablePath,
    [...args, "--headless", "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  const address = await new Promise<string>((resolve, reject) => {
    child.stderr.on("data", (text) => {
      said += String(text);
      const [, found] = /DevTools listening on (\S+)/.exec(said) ?? [];
      if (found) resolve(found);
    });
    child.once("exit", () => reject(new Error(`${executablePath} ended: ${said}`)));
  });
  const browser = await chromium.connectOverCDP(address, { noDefaults: true });
  const [context] = browser.contexts();
  if (!context) throw new Error("The browser has no window.");
  return {
    context,
    async close() {
      const gone = once(child, "exit");
      const cdp = await browser.newBrowserCDPSession();
      // It answers by closing the connection.
      await cdp.send("Browser.close").catch(() => {});
      await gone;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
