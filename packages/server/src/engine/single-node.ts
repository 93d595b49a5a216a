/** Refuses an engine that lives in one process where several processes serve the same clients. */
import { FanfareError } from "@fanfare/protocol";

const REMEDY =
  "Run one process (no cluster; with pm2, one instance in fork mode), or use an engine that processes share, " +
  "or set `allowIsolated: true` if each process is meant to have channels of its own.";

/**
 * @param env the process's environment, where pm2 says which instance this is
 * @param cluster the module `node:cluster`
 * @throws FanfareError `single_node_engine` in a cluster worker, or in one of several pm2 instances
 */
export function assertSingleNode(
  env: Readonly<Record<string, string | undefined>>,
  cluster: { readonly isWorker: boolean },
): void {
  const where = cluster.isWorker ? "a cluster worker" : pm2Instance(env);
  if (where === null) return;
  throw new FanfareError(
    "single_node_engine",
    `the memory engine runs in ${where}: each process would have logs of its own, and subscribers ` +
      "would silently miss what is published in another process",
    { remedy: REMEDY },
  );
}

/** pm2 numbers its instances, in fork mode too, where they are no cluster workers. */
function pm2Instance(env: Readonly<Record<string, string | undefined>>): string | null {
  const { NODE_APP_INSTANCE: instance, instances } = env;
  if (instance === undefined || instance === "") return null;
  if (instance === "0" && !(Number(instances) > 1)) return null;
  return `pm2 instance ${instance}${instances === undefined ? "" : ` of ${instances}`}`;
}
