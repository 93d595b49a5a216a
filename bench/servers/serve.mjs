/**
 * What all servers under test have in common: they listen on a loopback port, and publish when the parent process says
 * so. Knows nothing of the server that it serves.
 */
import { createServer } from "node:http";
import { microseconds, stampedMessage } from "../stamp.mjs";

/**
 * At most so many messages in one turn of the event loop, however late they are: a publisher in the same process has
 * to let the server read and write.
 */
const MOST_PER_TURN = 100;

/** @typedef {(data: object) => unknown} Publish publishes to all connections; may answer with a promise */

/**
 * @param {(server: import("node:http").Server) => Publish | Promise<Publish>} attach puts what is measured on the
 *   server, and says how one publishes
 */
export async function serve(attach) {
  const parent = process;
  const server = createServer();
  const publish = await attach(server);
  let sequence = 0;

  /** @param {number} time */
  function publishNext(time) {
    sequence += 1;
    const done = publish(stampedMessage(sequence, time));
    if (done instanceof Promise) done.catch(fail);
  }

  /**
   * Publishes at a steady rate. A message bears the time at which it was due, so that a server which is too busy to
   * publish in time does not look faster for it.
   *
   * @param {number} perSecond
   * @param {number} count
   */
  function publishSteadily(perSecond, count) {
    const begun = microseconds();
    let sent = 0;
    function turn() {
      const due = Math.min(count, Math.floor(((microseconds() - begun) / 1e6) * perSecond) + 1);
      const last = Math.min(due, sent + MOST_PER_TURN);
      while (sent < last) publishNext(begun + (sent++ * 1e6) / perSecond);
      if (sent === count) return;
      if (sent < due) setImmediate(turn);
      else setTimeout(turn, 1);
    }
    turn();
  }

  /** Memory now, and after everything that is not needed has been collected. */
  async function memory() {
    const { rss } = process.memoryUsage();
    for (let round = 0; round < 5; round++) {
      globalThis.gc?.();
      await new Promise((done) => setImmediate(done));
    }
    const { heapUsed, external } = process.memoryUsage();
    return { rss, heap: heapUsed + external };
  }

  parent.on("message", async (/** @type {Order} */ order) => {
    if (order.do === "publish") publishNext(microseconds());
    else if (order.do === "publishSteadily") publishSteadily(order.perSecond, order.count);
    else parent.send?.(await memory());
  });
  parent.on("disconnect", () => process.exit());
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => {
    const address = server.address();
    parent.send?.({ port: typeof address === "object" && address?.port });
  });
}

/**
 * @typedef {{ do: "publish" } | { do: "publishSteadily", perSecond: number, count: number } | { do: "memory" }} Order
 */

/** @param {unknown} error */
function fail(error) {
  console.error(error);
  process.exit(1);
}
