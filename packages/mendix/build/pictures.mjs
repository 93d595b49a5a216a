/** `node packages/mendix/build/pictures.mjs`: draws the icons and tiles that Studio Pro shows, with the machine's Chromium. */
import { join } from "node:path";
import { chromium } from "@playwright/test";
import { findChromium } from "../../../scripts/chromium.mjs";
import { HERE } from "./widgets.mjs";

/** A source and what goes out from it: waves to many attributes, or one line of text. On a field of 20 by 20. */
const FIGURES = {
  Fanfare: '<path d="M9 6.5a5 5 0 0 1 0 7M12.2 4a8.6 8.6 0 0 1 0 12M15.4 1.6a12.2 12.2 0 0 1 0 16.8"/>',
  FanfareSimple: '<path d="M9 6.5a5 5 0 0 1 0 7M13.5 8.3h5M13.5 11.7h3"/>',
};
const LOOKS = [
  { suffix: "", colour: "#2355c4", ground: "#eef3fd" },
  { suffix: ".dark", colour: "#8fb4ff", ground: "#1d2635" },
];
/** Sizes as Studio Pro expects them, and how large the figure is in them. */
const KINDS = [
  { kind: "icon", width: 64, height: 64, figure: 60, hasGround: false },
  { kind: "tile", width: 256, height: 192, figure: 96, hasGround: true },
];

const browser = await chromium.launch({
  executablePath: findChromium(process.env) ?? "chromium",
  args: [...(process.getuid?.() === 0 ? ["--no-sandbox"] : []), "--disable-gpu"],
});
for (const { kind, width, height, figure, hasGround } of KINDS) {
  const page = await browser.newPage({ viewport: { width, height } });
  for (const [name, lines] of Object.entries(FIGURES)) {
    for (const { suffix, colour, ground } of LOOKS) {
      await page.setContent(`<body style="margin:0;height:100vh;display:grid;place-items:center;
        background:${hasGround ? ground : "transparent"}">
        <svg width="${figure}" height="${figure}" viewBox="0 0 20 20" fill="none" stroke="${colour}"
        stroke-width="1.8" stroke-linecap="round"><circle cx="4.5" cy="10" r="2.5" fill="${colour}" stroke="none"/>${lines}</svg>`);
      const path = join(HERE, "src", `${name}.${kind}${suffix}.png`);
      await page.screenshot({ path, omitBackground: !hasGround });
    }
  }
}
await browser.close();
