/**
 * Signals to a server that does not run yet: it ends at once. Without a listener the system would drop them where this is the first process
 * of a container. A request to read the configuration anew waits.
 */

const ENDING = ["SIGINT", "SIGTERM"] as const;
let isHungUp = false;

const end = () => process.exit(0);
const hangUp = () => {
  isHungUp = true;
};

/** @param reloads SIGHUP is such a request; else it ends the process as by default */
export function heedSignals({ reloads }: { readonly reloads: boolean }): void {
  for (const signal of ENDING) process.on(signal, end);
  if (reloads) process.on("SIGHUP", hangUp);
}

/** To be called when the server has listeners of its own: it runs. */
export function hasStarted(): void {
  for (const signal of ENDING) process.off(signal, end);
  process.off("SIGHUP", hangUp);
  if (isHungUp) process.emit("SIGHUP", "SIGHUP");
}
