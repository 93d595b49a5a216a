/** Builds `dist/fanfare.mpk`, which is imported into a Mendix app, and the types of the widgets' props. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { zip } from "./build/mpk.mjs";
import { packageFiles, typingsOf } from "./build/pack.mjs";
import { HERE, WIDGETS } from "./build/widgets.mjs";

for (const { name } of WIDGETS) writeFileSync(join(HERE, "typings", `${name}Props.d.ts`), typingsOf(name));

const files = await packageFiles();
for (const { name, folder } of WIDGETS) {
  const script = files[`${folder}/${name}.js`] ?? "";
  console.log(`${name}: ${script.length} bytes, ${gzipSync(script, { level: 9 }).length} with gzip`);
}
const packed = zip(files);
mkdirSync(join(HERE, "dist"), { recursive: true });
writeFileSync(join(HERE, "dist/fanfare.mpk"), packed);
console.log(`dist/fanfare.mpk: ${packed.length} bytes, ${Object.keys(files).length} files`);
