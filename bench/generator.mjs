/** The process that makes the load: connections that listen, and posts. Does what the parent process says. */
import { listen } from "./listener.mjs";
import { post } from "./poster.mjs";
import { Tally } from "./tally.mjs";
import { WIRES } from "./wire.mjs";

/** So many connections are being opened at a time. */
const OPENING = 100;
/** Delays under a steady load are measured by this much too long, at most. */
const NAP_MS = 4;
/** Nobody ever wakes who waits on it. */
const BED = new Int32Array(new SharedArrayBuffer(4));

const parent = process;
let tally = new Tally(0);
/** @type {string | null} */
let trouble = null;

/** @param {{ port: number, wire: import("./wire.mjs").WireName, connections: number }} order */
function connect({ port, wire, connections }) {
  tally = new Tally(connections);
  return new Promise((done) => {
    let begun = 0;
    let ready = 0;
    function next() {
      if (begun === connections) return;
      listen({
        number: begun++,
        port,
        wire: WIRES[wire],
        tally,
        ready() {
          ready += 1;
          if (ready === connections) done({ ready });
          else next();
        },
        ended(why) {
          trouble ??= why;
          done({ ready });
        },
      });
    }
    for (let count = 0; count < OPENING; count++) next();
  });
}

/**
 * One message after the other, each when all have the one before, and no sooner than it is due.
 *
 * @param {{ from: number, to: number, everyMs: number }} order
 */
async function loop({ from, to, everyMs }) {
  const begun = performance.now();
  for (let sequence = from; sequence <= to; sequence++) {
    const all = tally.reaches(sequence);
    parent.send?.({ publish: true });
    await all;
    const early = begun + (sequence - from + 1) * everyMs - performance.now();
    if (early > 0) await new Promise((done) => setTimeout(done, early));
  }
}

/**
 * Reads what comes, with a nap in each turn: frames gather meanwhile, and neither the server nor this process is charged
 * with waking up for each of them.
 *
 * @param {{ to: number, withinMs: number }} order
 */
function wait({ to, withinMs }) {
  return new Promise((done) => {
    let isOver = false;
    function end() {
      isOver = true;
      done(undefined);
    }
    function nap() {
      if (isOver) return;
      Atomics.wait(BED, 0, 0, NAP_MS);
      setImmediate(nap);
    }
    setTimeout(end, withinMs);
    tally.reaches(to).then(end);
    nap();
  });
}

function figures() {
  const { deliveries, lost, doubled } = tally;
  return { deliveries, lost, doubled, p50: tally.delayMs(0.5), p99: tally.delayMs(0.99), trouble };
}

parent.on("message", async (/** @type {any} */ order) => {
  let answer = {};
  if (order.do === "connect") answer = await connect(order);
  else if (order.do === "startOver") tally.startOver();
  else if (order.do === "loop") await loop(order);
  else if (order.do === "wait") await wait(order);
  else if (order.do === "post") answer = await post(order);
  else answer = figures();
  parent.send?.({ ...answer, trouble });
});
parent.on("disconnect", () => process.exit());
parent.send?.({ started: true });
