import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";

const source = (name: string) => fileURLToPath(new URL(`packages/${name}/src/index.ts`, import.meta.url));

export default defineConfig({
  resolve: {
    // Whole names only: "@fanfare/client/script" is the built bundle.
    alias: [
      { find: /^@fanfare\/protocol$/, replacement: source("protocol") },
      { find: /^@fanfare\/client$/, replacement: source("client") },
    ],
  },
  test: {
    include: ["packages/*/src/**/*.test.ts", "tests/**/*.test.ts"],
    // Wants a disk that it may fill.
    exclude: [...configDefaults.exclude, ...(process.env.FULL_DISK ? [] : ["tests/crash/full-disk.test.ts"])],
    testTimeout: 30_000,
  },
});
