/** Functions of Node's own modules that a test replaces. Test files share modules, so none can be replaced as a whole. */
import { syncBuiltinESMExports } from "node:module";
import { onTestFinished } from "vitest";

/**
 * Shows a spy to those who import the function by its name, until the test is finished:
 * `seenByImports(vi.spyOn(fs, "accessSync"))`.
 */
export function seenByImports<Spy extends { mockRestore(): void }>(spy: Spy): Spy {
  syncBuiltinESMExports();
  onTestFinished(() => {
    spy.mockRestore();
    syncBuiltinESMExports();
  });
  return spy;
}
