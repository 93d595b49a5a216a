/** The client has to stay small: a page loads it before anything else. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { describe, expect, test } from "vitest";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const LIMIT_BYTES = 16 * 1024;

async function bundle(entry: string, format: "es" | "iife"): Promise<Rolldown.OutputChunk> {
  const built = await build({
    configFile: false,
    root: here("../../packages/client"),
    logLevel: "warn",
    resolve: { alias: { "@fanfare/protocol": here("../../packages/protocol/src/index.ts") } },
    build: {
      write: false,
      minify: true,
      target: "es2022",
      // A library keeps its white space unless this is said; the bundler of a page takes it away.
      rolldownOptions: { output: { minify: true } },
      lib: { entry: here(`../../packages/client/src/${entry}`), formats: [format], name: "Fanfare" },
    },
  });
  const [{ output }] = built as [Rolldown.RolldownOutput];
  expect(output).toHaveLength(1);
  return output[0];
}

describe("the client", () => {
  test.each([
    ["the module", "index.ts", "es"],
    ["the file for pages without a bundler", "script.ts", "iife"],
  ] as const)("as %s is at most 16 KiB, minified and with gzip", async (_name, entry, format) => {
    const { code, imports, dynamicImports } = await bundle(entry, format);
    const { length } = gzipSync(code, { level: 9 });
    expect(length, `${code.length} bytes, ${length} with gzip`).toBeLessThanOrEqual(LIMIT_BYTES);
    expect([...imports, ...dynamicImports], "it needs no other module").toEqual([]);
  });

  test("comes with the types that it shares with the server, and with nothing else", () => {
    const manifestOf = (name: string) =>
      JSON.parse(readFileSync(here(`../../packages/${name}/package.json`), "utf8"));
    const dependenciesOf = (name: string) => {
      const { dependencies = {}, peerDependencies = {}, optionalDependencies = {} } = manifestOf(name);
      return Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies });
    };
    expect(dependenciesOf("client")).toEqual(["@fanfare/protocol"]);
    expect(dependenciesOf("protocol")).toEqual([]);
  });
});
