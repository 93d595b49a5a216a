/** What is imported into an app: the widgets' XML, the types made from it, and the package as a whole. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { DOMParser } from "@xmldom/xmldom";
import { parse } from "acorn";
import { strFromU8, unzipSync } from "fflate";
import { beforeAll, describe, expect, test } from "vitest";
import { validateXML } from "xmllint-wasm";
import { EXTERNAL } from "../build/bundle.mjs";
import { EDITIONS, editionXml } from "../build/editions.mjs";
import { pack, readWidget, typingsOf } from "../build/pack.mjs";
import { readWidgetXml } from "../build/widget-xml.mjs";
import { HERE, WIDGETS } from "../build/widgets.mjs";

const LIMIT_BYTES = 23_000;

const schema = readFileSync(join(HERE, "../../node_modules/mendix/custom_widget.xsd"), "utf8").replace(
  "\uFEFF",
  "",
);

describe.each(WIDGETS)("the XML of $name", ({ name, id }) => {
  test.each(EDITIONS)("follows the schema of Mendix, in $file", async (edition) => {
    const xml = [{ fileName: `${name}.xml`, contents: editionXml(readWidget(name), edition) }];
    const { errors, valid } = await validateXML({ xml, schema: [schema] });
    expect(errors).toEqual([]);
    expect(valid).toBe(true);
  });

  test("has the id by which Mendix finds its files", () => {
    expect(readWidgetXml(readWidget(name)).id).toBe(id);
  });

  test("is what the types of the props were made from", () => {
    const made = readFileSync(join(HERE, "typings", `${name}Props.d.ts`), "utf8");
    expect(made, "npm run build -w packages/mendix makes them anew").toBe(typingsOf(name));
  });
});

test("the schema finds mistakes", async () => {
  const contents = readWidget("Fanfare").replace('type="boolean"', 'type="bool"');
  const { valid } = await validateXML({ xml: [{ fileName: "a.xml", contents }], schema: [schema] });
  expect(valid).toBe(false);
});

describe.each(EDITIONS)("the package $file", (edition) => {
  let packed: Uint8Array;
  let files: Record<string, Uint8Array>;
  beforeAll(async () => {
    packed = await pack(edition);
    files = unzipSync(packed);
  }, 60_000);
  const read = (path: string) => strFromU8(files[path] ?? new Uint8Array());

  test("is the same, byte for byte, whenever it is made", async () => {
    const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    expect(hash(await pack(edition))).toBe(hash(packed));
  });

  test("has what Mendix looks for, in its order, and nothing else", () => {
    const pictures = ["icon.dark.png", "icon.png", "tile.dark.png", "tile.png"];
    const root = WIDGETS.flatMap(({ name }) => [
      ...["editorConfig.js", "editorPreview.js", "xml", ...pictures].map((end) => `${name}.${end}`),
    ]);
    const scripts = WIDGETS.flatMap(({ name, folder }) =>
      ["css", "js", "mjs"].map((end) => `${folder}/${name}.${end}`),
    );
    expect(Object.keys(files)).toEqual([...root, ...scripts, "LICENSE", "package.xml"].sort());
  });

  test("says which widgets it has, and where", () => {
    const manifest = new DOMParser().parseFromString(read("package.xml"), "text/xml");
    const paths = (tag: string) =>
      [...manifest.getElementsByTagName(tag)].map((element) => element.getAttribute("path"));
    expect(paths("widgetFile")).toEqual(["Fanfare.xml", "FanfareSimple.xml"]);
    expect(paths("file")).toEqual(["fanfare/mendix/fanfare/", "fanfare/mendix/fanfaresimple/"]);
  });

  test("asks for nothing that its versions of Mendix do not have", () => {
    const keys = readWidgetXml(read("Fanfare.xml")).properties.map(({ key }) => key);
    expect(keys.includes("messageObject")).toBe(!edition.isOlder);
    expect(keys).toContain("channelName");
    const { dependencies } = load(read("fanfare/mendix/fanfare/Fanfare.js"));
    expect(dependencies.includes("mendix/session")).toBe(!edition.isOlder);
  });

  describe.each(WIDGETS)("of $name", ({ name, folder }) => {
    test("the AMD module asks for nothing but what Mendix has, and exports the widget", () => {
      const found = load(read(`${folder}/${name}.js`));
      for (const dependency of found.dependencies) expect(isMendix(dependency), dependency).toBe(true);
      expect(Object.keys(found.exports)).toEqual([name]);
    });

    test("the ES module asks for nothing but what Mendix has, and exports the widget", () => {
      const code = read(`${folder}/${name}.mjs`);
      const { body } = parse(code, { ecmaVersion: 2019, sourceType: "module" });
      const imports = body.flatMap((each) =>
        each.type === "ImportDeclaration" ? [String(each.source.value)] : [],
      );
      for (const dependency of imports) expect(isMendix(dependency), dependency).toBe(true);
      const exported = body.flatMap((each) =>
        each.type === "ExportNamedDeclaration" ? each.specifiers : [],
      );
      expect(exported.map((each) => "name" in each.exported && each.exported.name)).toEqual([name]);
    });

    test("what runs in browsers is written as they all know it, and small", () => {
      const code = read(`${folder}/${name}.js`);
      parse(code, { ecmaVersion: 2019 });
      const { length } = gzipSync(code, { level: 9 });
      expect(length).toBeLessThanOrEqual(LIMIT_BYTES);
    });

    test("what runs in Studio Pro is ES5, and exports what it asks for", () => {
      const code = read(`${name}.editorConfig.js`);
      parse(code, { ecmaVersion: 5 });
      const functions = ["check", "getCustomCaption", "getPreview", "getProperties"];
      expect(Object.keys(run(code)).sort()).toEqual(functions);
      expect(Object.keys(run(read(`${name}.editorPreview.js`))).sort()).toEqual(["getPreviewCss", "preview"]);
    });
  });
});

function isMendix(dependency: string): boolean {
  return dependency === "exports" || EXTERNAL.some((each) => each.test(dependency));
}

/** What an AMD module defines. */
function load(code: string): { dependencies: string[]; exports: object } {
  const found = { dependencies: [] as string[], exports: {} };
  const define = (dependencies: string[], factory: (...given: object[]) => void) => {
    found.dependencies = dependencies;
    factory(...dependencies.map((dependency) => (dependency === "exports" ? found.exports : {})));
  };
  new Function("define", code)(define);
  return found;
}

/** What a CommonJS module exports. */
function run(code: string): object {
  const exports = {};
  new Function("exports", "require", code)(exports, () => ({}));
  return exports;
}
