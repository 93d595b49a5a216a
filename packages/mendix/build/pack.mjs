/** Makes the package and the types of the widgets' props out of the sources. Writes nothing. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bundleForBrowsers, bundleForStudio, inForm } from "./bundle.mjs";
import { editionXml } from "./editions.mjs";
import { packageXml, zip } from "./mpk.mjs";
import { typings } from "./typings.mjs";
import { readWidgetXml } from "./widget-xml.mjs";
import { HERE, WIDGETS } from "./widgets.mjs";

const SOURCE = join(HERE, "src");

/**
 * What is in the package, by path.
 *
 * @param {import("./editions.mjs").Edition} edition
 */
export async function packageFiles(edition) {
  const { version } = JSON.parse(readFileSync(join(HERE, "package.json"), "utf8"));
  /** @type {Record<string, string | Uint8Array>} */
  const files = {
    "package.xml": packageXml("Fanfare", version, WIDGETS),
    LICENSE: readFileSync(join(HERE, "../../LICENSE")),
  };
  for (const { name, folder } of WIDGETS) {
    files[`${name}.xml`] = editionXml(readWidget(name), edition);
    files[`${name}.editorConfig.js`] = await bundleForStudio(`src/${name}.editorConfig.js`);
    const preview = await bundleForBrowsers(`src/${name}.editorPreview.tsx`, edition);
    files[`${name}.editorPreview.js`] = await inForm(preview, "cjs");
    const widget = await bundleForBrowsers(`src/${name}.tsx`, edition);
    files[`${folder}/${name}.js`] = await inForm(widget, "amd");
    files[`${folder}/${name}.mjs`] = await inForm(widget, "es");
    files[`${folder}/${name}.css`] = readFileSync(join(SOURCE, "indicator.css"));
    for (const file of readdirSync(SOURCE)) {
      if (file.startsWith(`${name}.`) && file.endsWith(".png"))
        files[file] = readFileSync(join(SOURCE, file));
    }
  }
  return files;
}

/** @param {import("./editions.mjs").Edition} edition */
export async function pack(edition) {
  return zip(await packageFiles(edition));
}

/** The types of a widget's props. @param {string} name */
export function typingsOf(name) {
  return typings(name, readWidgetXml(readWidget(name)).properties);
}

/** A widget's XML. @param {string} name */
export function readWidget(name) {
  return readFileSync(join(SOURCE, `${name}.xml`), "utf8");
}
