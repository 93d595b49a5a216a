/** Bundles sources into one file, in the form that the one who loads it takes. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rollup } from "rollup";
import { build, minify } from "vite";
import { HERE } from "./widgets.mjs";

/** What Mendix brings along. */
export const EXTERNAL = [/^mendix($|\/)/, /^react$/, /^react\/jsx-runtime$/, /^react-dom$/, /^big\.js$/];
/** What older versions of it do not. */
const NEWER = { "mendix/session": join(HERE, "src/connection/no-session.ts") };
/** The oldest browser that Mendix's own tools build for. */
const BROWSER = "safari12";

const source = (/** @type {string} */ path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/**
 * For browsers: one ES module, small, and in a language that older ones know. `inForm` makes of it what is loaded.
 *
 * @param {string} entry path from this package
 * @param {import("./editions.mjs").Edition} edition
 */
export async function bundleForBrowsers(entry, edition) {
  const { code, errors } = await minify(`${entry}.js`, await modules(entry, edition), {
    module: true,
    compress: { target: BROWSER },
  });
  if (errors.length > 0) throw new Error(`${entry}: ${errors.map(({ message }) => message).join("; ")}`);
  return code;
}

/**
 * For Studio Pro, which knows ES5 only. Nothing is translated but the modules: the sources have to be ES5.
 *
 * @param {string} entry path from this package
 */
export async function bundleForStudio(entry) {
  return generate(join(HERE, entry), "cjs");
}

/**
 * One ES module.
 *
 * @param {string} entry
 * @param {import("./editions.mjs").Edition} edition
 */
async function modules(entry, { isOlder }) {
  const built = await build({
    configFile: false,
    root: HERE,
    logLevel: "warn",
    // Whatever NODE_ENV says: the same bytes.
    mode: "production",
    oxc: { jsx: { runtime: "automatic", development: false } },
    resolve: {
      alias: {
        ...(isOlder && NEWER),
        "@fanfare/client": source("client/src/index.ts"),
        "@fanfare/protocol": source("protocol/src/index.ts"),
      },
    },
    build: {
      write: false,
      target: BROWSER,
      minify: false,
      lib: { entry: join(HERE, entry), formats: ["es"], fileName: "bundle" },
      rolldownOptions: {
        external: (id) => !(isOlder && id in NEWER) && EXTERNAL.some((each) => each.test(id)),
      },
    },
  });
  const outputs = (Array.isArray(built) ? built : [built]).flatMap((each) =>
    "output" in each ? each.output : [],
  );
  const [chunk] = outputs;
  if (outputs.length !== 1 || chunk?.type !== "chunk") throw new Error(`${entry} did not become one file.`);
  return chunk.code;
}

/**
 * By Rollup, since Vite makes no AMD. Only after minifying, since tools that look for dependencies expect plain strings, and a minifier
 * likes others.
 *
 * @param {string} code an ES module
 * @param {"amd" | "es" | "cjs"} format
 */
export function inForm(code, format) {
  const entry = "bundle";
  return generate(entry, format, {
    name: "bundle",
    resolveId: (id) => (id === entry ? id : { id, external: true }),
    load: () => code,
  });
}

/**
 * @param {string} entry
 * @param {"amd" | "es" | "cjs"} format
 * @param {...import("rollup").Plugin} plugins
 */
async function generate(entry, format, ...plugins) {
  const bundle = await rollup({
    input: entry,
    plugins,
    onwarn(warning) {
      throw new Error(warning.message);
    },
  });
  const { output } = await bundle.generate({ format, interop: "esModule", exports: "named", compact: true });
  return output[0].code;
}
