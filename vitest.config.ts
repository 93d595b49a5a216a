import { accessSync, constants, statfsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";

const source = (name: string) => fileURLToPath(new URL(`packages/${name}/src/index.ts`, import.meta.url));

/** A folder in memory, where Linux has one. */
const MEMORY = "/dev/shm";
/** Bytes; containers often have less. */
const ENOUGH = 1024 ** 3;

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
    exclude: [
      ...configDefaults.exclude,
      // `npm run test:slow` runs them.
      ...(process.env.SLOW ? [] : ["tests/slow/**"]),
    ],
    setupFiles: ["tests/setup.ts"],
    // Only for what hangs: a busy machine takes its time.
    testTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    maxWorkers: availableParallelism(),
    // Loading the modules anew for each file took as long as its tests. So files share a process, and what a test
    // replaces has to be put back.
    isolate: false,
    unstubGlobals: true,
    restoreMocks: true,
    env: {
      // Thousands of commits of the disk engine wait for the disk otherwise. What is about the disk itself makes its
      // folder elsewhere (`tests/crash/disk-folder.ts`).
      ...(hasRoomInMemory() && { TMPDIR: MEMORY }),
      // Each process that a test starts would read these certificates; none talks to another machine.
      NODE_EXTRA_CA_CERTS: "",
    },
  },
});

function hasRoomInMemory(): boolean {
  try {
    accessSync(MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= ENOUGH;
  } catch {
    return false;
  }
}
