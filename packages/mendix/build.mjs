/** Builds the packages that are imported into a Mendix app, in `dist`, and the types of the widgets' props. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { EDITIONS } from "./build/editions.mjs";
import { zip } from "./build/mpk.mjs";
import { packageFiles, typingsOf } from "./build/pack.mjs";
import { HERE, WIDGETS } from "./build/widgets.mjs";

for (const { name } of WIDGETS) writeFileSync(join(HERE, "typings", `${name}Props.d.ts`), typingsOf(name));

mkdirSync(join(HERE, "dist"), { recursive: true });
for (const edition of EDITIONS) {
  const files = await packageFiles(edition);
  const packed = zip(files);
  writeFileSync(join(HERE, "dist", edition.file), packed);
  console.log(`dist/${edition.file}: ${packed.length} bytes, ${Object.keys(files).length} files`);
  for (const { name, folder } of WIDGETS) {
    const script = files[`${folder}/${name}.js`] ?? "";
    console.log(`  ${name}: ${script.length} bytes, ${gzipSync(script, { level: 9 }).length} with gzip`);
  }
}
