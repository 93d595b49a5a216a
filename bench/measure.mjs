/**
 * One run: a server in a process of its own, the load generator in another, and what the scenario does with them. A run
 * whose generator was nearly busy all the time says more about the generator than about the server: it is void, and
 * repeated.
 */
import { Program } from "./program.mjs";

/** Share of a core that the generator may use. */
const MOST_OF_GENERATOR = 0.8;
const REPEATS = 2;

/**
 * @typedef {object} Peer
 * @property {string} name
 * @property {string} server the file in servers/
 * @property {import("./wire.mjs").WireName} wire
 * @property {readonly string[]} [args] of the server
 */

/**
 * @typedef {object} Run
 * @property {Record<string, number>} figures
 * @property {number} generator share of a core that the load generator used
 * @property {number} waited share of the time for which the server or the generator wanted a core and got none
 * @property {boolean} isVoid
 * @property {string} [trouble] what went wrong
 */

/**
 * What a scenario works with.
 *
 * @typedef {object} Stage
 * @property {Peer} peer
 * @property {Program} server
 * @property {Program} generator
 * @property {number} port
 * @property {<T>(work: () => Promise<T>) => Promise<{ cpu: number, seconds: number, result: T }>} timed the processor
 *   time of the server and the time that passed, in seconds, meanwhile
 */

/**
 * @template Size
 * @typedef {object} Scenario
 * @property {string} name
 * @property {(stage: Stage, size: Size) => Promise<Record<string, number>>} play answers with its figures
 */

/**
 * A run, repeated while it is void, at most twice.
 *
 * @param {() => Promise<Run>} once
 * @returns {Promise<Run[]>} all that were made, the last of which counts unless it is void as well
 */
export async function untilValid(once) {
  /** @type {Run[]} */
  const runs = [];
  while (runs.length <= REPEATS) {
    const run = await once();
    runs.push(run);
    if (!run.isVoid) break;
  }
  return runs;
}

/**
 * @template Size
 * @param {Scenario<Size>} scenario
 * @param {Peer} peer
 * @param {Size} size
 * @returns {Promise<Run>}
 */
export async function measureOnce(scenario, peer, size) {
  const server = new Program(`servers/${peer.server}`, peer.args);
  const generator = new Program("generator.mjs");
  let share = 0;
  let waited = 0;
  try {
    const [{ port, trouble }] = await Promise.all([server.answer(), generator.answer()]);
    if (trouble) return { figures: {}, generator: 0, waited: 0, isVoid: false, trouble };
    generator.onAside = () => server.tell({ do: "publish" });

    const clocks = () => ({
      server: server.cpuSeconds(),
      generator: generator.cpuSeconds(),
      serverWaited: server.waitedSeconds(),
      generatorWaited: generator.waitedSeconds(),
      now: performance.now() / 1000,
    });

    /** @type {Stage["timed"]} */
    async function timed(work) {
      const before = clocks();
      const result = await work();
      const after = clocks();
      const cpu = after.server - before.server;
      const seconds = after.now - before.now;
      share = Math.max(share, (after.generator - before.generator) / seconds);
      const waits = [
        after.serverWaited - before.serverWaited,
        after.generatorWaited - before.generatorWaited,
      ];
      waited = Math.max(waited, ...waits.map((wait) => wait / seconds));
      return { cpu, seconds, result };
    }

    const figures = await scenario.play({ peer, server, generator, port, timed }, size);
    return { figures, generator: share, waited, isVoid: share > MOST_OF_GENERATOR };
  } catch (error) {
    return { figures: {}, generator: share, waited, isVoid: false, trouble: String(error) };
  } finally {
    await Promise.all([server.end(), generator.end()]);
  }
}
