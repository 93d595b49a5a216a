/** The package that is imported into an app: a zip of the widgets' files. The same sources give the same bytes. */
import { strToU8, zipSync } from "fflate";

/** Files have no times of their own. Zips know none before 1980. */
const TIME = new Date(1980, 0, 1);

/**
 * @param {Record<string, string | Uint8Array>} files by path
 * @returns {Uint8Array}
 */
export function zip(files) {
  const paths = Object.keys(files).sort();
  return zipSync(
    Object.fromEntries(
      paths.map((path) => {
        const content = files[path] ?? "";
        return [path, typeof content === "string" ? strToU8(content) : content];
      }),
    ),
    { mtime: TIME, level: 9 },
  );
}

/**
 * Says what is in the package.
 *
 * @param {string} name
 * @param {string} version
 * @param {readonly import("./widgets.mjs").Widget[]} widgets
 */
export function packageXml(name, version, widgets) {
  return `<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.mendix.com/package/1.0/">
  <clientModule name="${name}" version="${version}" xmlns="http://www.mendix.com/clientModule/1.0/">
    <widgetFiles>
${widgets.map((widget) => `      <widgetFile path="${widget.name}.xml" />\n`).join("")}    </widgetFiles>
    <files>
${widgets.map(({ folder }) => `      <file path="${folder}/" />\n`).join("")}    </files>
  </clientModule>
</package>
`;
}
