/** A loader of AMD modules, as small as can be: Mendix's client has one. */

type Factory = (...dependencies: unknown[]) => unknown;
type Define = ((dependencies: string[], factory: Factory) => void) & { amd?: object };

declare global {
  interface Window {
    define: Define;
  }
}

/**
 * Loads scripts, one after the other; answers with what each exports.
 *
 * @param given the modules that are there, by name
 */
export async function loadModules(
  urls: readonly string[],
  given: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>[]> {
  const loaded: Record<string, unknown>[] = [];
  const define: Define = (dependencies, factory) => {
    const exports: Record<string, unknown> = {};
    const handed = dependencies.map((name) => {
      if (name === "exports") return exports;
      if (!(name in given)) throw new Error(`Mendix has no module ${name}.`);
      return given[name];
    });
    factory(...handed);
    loaded.push(exports);
  };
  define.amd = {};
  window.define = define;
  for (const url of urls) await loadScript(url);
  return loaded;
}

function loadScript(src: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.onload = () => resolve();
    script.onerror = () => reject(new Error(`${src} cannot be loaded.`));
    script.src = src;
    document.head.append(script);
  });
}
