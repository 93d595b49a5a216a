/**
 * A server in a process of its own, with a small heap, all defaults, and a history that is full: for `memory.slow.test.ts`.
 * Says its port, and each second how its memory stands.
 */
import { createServer } from "node:http";
import { createFanfare } from "fanfare";

/** So that the history is full at once. */
const FULL = 3000;

/** @type {string[]} */
const told = [];
/** @param {string} level */
const log = (level) => (/** @type {object} */ _fields, /** @type {string} */ text) => {
  if (text.startsWith("memory") || text.includes("memory")) told.push(`${level}: ${text}`);
};
// Whoever has a key is not limited by rates.
const fanfare = createFanfare({
  apiKeys: [process.env.FANFARE_KEY ?? ""],
  logger: { info: log("info"), warn: log("warn"), error: log("error"), debug() {} },
});
for (let count = 0; count < FULL; count++) {
  await fanfare.publish(`history:${count % 100}`, "x".repeat(60_000));
}
const server = createServer();
fanfare.attach(server);
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.send?.({ port: typeof address === "object" && address?.port });
});
setInterval(() => {
  process.send?.({ heap: process.memoryUsage().heapUsed, ...fanfare.stats(), told: told.splice(0) });
}, 1000);
