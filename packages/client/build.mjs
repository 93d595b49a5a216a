/** Bundles the client: `dist/index.js`, a module without dependencies, and `dist/client.js` for pages without a bundler. */
import { fileURLToPath } from "node:url";
import { build } from "vite";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** @type {import("vite").InlineConfig[]} */
const bundles = [
  {
    build: {
      minify: false,
      lib: { entry: here("src/index.ts"), formats: ["es"], fileName: () => "index.js" },
    },
  },
  {
    build: {
      minify: true,
      lib: { entry: here("src/script.ts"), formats: ["iife"], name: "Fanfare", fileName: () => "client.js" },
    },
  },
];

for (const { build: options } of bundles) {
  await build({
    configFile: false,
    root: here("."),
    logLevel: "warn",
    resolve: { alias: { "@fanfare/protocol": here("../protocol/src/index.ts") } },
    build: { ...options, outDir: "dist", emptyOutDir: false, target: "es2022" },
  });
}
