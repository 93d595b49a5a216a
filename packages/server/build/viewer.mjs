/**
 * Bundles the page of the HTTP API into `dist/viewer`: Swagger UI with its styles and licences. So it is needed for building
 * only, and who installs this package gets two files and no more dependencies.
 */
import { copyFileSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const swaggerUi = (file) => fileURLToPath(import.meta.resolve(`swagger-ui-dist/${file}`));
const { version } = JSON.parse(readFileSync(swaggerUi("package.json"), "utf8"));
const LICENCES = ["LICENSE", "NOTICE", "swagger-ui-es-bundle.js.LICENSE.txt"];

await build({
  configFile: false,
  root: here(""),
  logLevel: "warn",
  build: {
    lib: {
      entry: here("viewer/viewer.js"),
      formats: ["iife"],
      name: "viewer",
      fileName: () => "viewer.js",
      cssFileName: "viewer",
    },
    outDir: "dist/viewer",
    target: "es2022",
    // Kilobytes; Swagger UI is one file of 1.5 MB.
    chunkSizeWarningLimit: 2000,
    rolldownOptions: {
      checks: { bundlerTimings: false },
      output: {
        postBanner: `/*! Fanfare's page of the HTTP API, with Swagger UI ${version}, Copyright SmartBear Software Inc., Apache License 2.0: https://github.com/swagger-api/swagger-ui. The licences are in the package fanfare, dist/viewer: ${LICENCES.join(", ")} */`,
      },
    },
  },
});

for (const file of LICENCES) copyFileSync(swaggerUi(file), here(`dist/viewer/${file}`));
