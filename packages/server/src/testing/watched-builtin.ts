/** Looks at, or replaces, what a module of Node does, for code that imports it by name. Until the test is finished. */
import { syncBuiltinESMExports } from "node:module";
import { onTestFinished } from "vitest";

/** @param spy replaces a member of the module's default export @example watched(() => vi.spyOn(fs, "accessSync")) */
export function watched<Spy extends { mockRestore(): unknown }>(spy: () => Spy): Spy {
  const made = spy();
  syncBuiltinESMExports();
  onTestFinished(() => {
    made.mockRestore();
    syncBuiltinESMExports();
  });
  return made;
}
