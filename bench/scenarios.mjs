/** What is measured: each scenario says what happens, how large it is, and what its figures are called. */

/** @typedef {import("./measure.mjs").Stage} Stage */
/** @typedef {{ connections: number, messages: number, everyMs: number }} OneByOne */
/** @typedef {{ connections: number, perSecond: number, seconds: number }} Steady */
/** @typedef {{ connections: number }} Idle */
/** @typedef {{ connections: number, requests: number, warmUp: number }} Posts */

/** After so many deliveries V8 has compiled most of what matters. */
const WARM_UP_DELIVERIES = 100_000;
const LEAST_WARM_UP_MESSAGES = 20;
const MOST_WARM_UP_MESSAGES = 500;
/** How long after the last message was due the last delivery is awaited. */
const PATIENCE_MS = 30_000;
/** A connection is idle when what its beginning left behind has been done. */
const SETTLING_MS = 1500;
const WARM_UP_CONNECTIONS = 500;
const MICRO = 1e6;
const KiB = 1024;

/**
 * Opens the connections, and lets some messages through before anything is measured.
 *
 * @param {Stage} stage
 * @param {number} connections
 * @returns {Promise<number>} how many messages those were
 */
async function warmUp(stage, connections) {
  await open(stage, connections);
  const wanted = Math.ceil(WARM_UP_DELIVERIES / connections);
  const messages = Math.min(Math.max(wanted, LEAST_WARM_UP_MESSAGES), MOST_WARM_UP_MESSAGES);
  check(await stage.generator.ask({ do: "loop", from: 1, to: messages, everyMs: 0 }));
  await stage.generator.ask({ do: "startOver" });
  return messages;
}

/** @param {Stage} stage @param {number} connections */
async function open({ peer, generator, port }, connections) {
  check(await generator.ask({ do: "connect", port, wire: peer.wire, connections }));
}

/** @param {{ trouble?: string | null }} answer */
function check({ trouble }) {
  if (trouble) throw new Error(trouble);
}

/**
 * @param {Stage} stage
 * @param {number} expected deliveries
 * @param {{ cpu: number, seconds: number }} spent
 */
async function figuresOf({ generator }, expected, { cpu, seconds }) {
  const { deliveries, lost, doubled, p50, p99, trouble } = await generator.ask({ do: "figures" });
  check({ trouble });
  return {
    cpu: (cpu * MICRO) / deliveries,
    p50,
    p99,
    perSecond: deliveries / seconds,
    lost,
    doubled,
    late: expected - deliveries - lost,
  };
}

/**
 * The next message is published when all connections have the one before, so that no two can share a write; and no
 * sooner than `everyMs` after it, so that all servers have the same to do and the generator has time to spare.
 */
export const oneByOne = {
  name: "oneByOne",
  /** @param {Stage} stage @param {OneByOne} size */
  async play(stage, { connections, messages, everyMs }) {
    const before = await warmUp(stage, connections);
    const order = { do: "loop", from: before + 1, to: before + messages, everyMs };
    const spent = await stage.timed(() => stage.generator.ask(order));
    check(spent.result);
    return figuresOf(stage, connections * messages, spent);
  },
};

/** Messages are published in process at a steady rate, and delivered as well as the server can. */
export const steady = {
  name: "steady",
  /** @param {Stage} stage @param {Steady} size */
  async play(stage, { connections, perSecond, seconds }) {
    const before = await warmUp(stage, connections);
    const count = perSecond * seconds;
    const spent = await stage.timed(() => {
      stage.server.tell({ do: "publishSteadily", perSecond, count });
      const withinMs = seconds * 1000 + PATIENCE_MS;
      return stage.generator.ask({ do: "wait", to: before + count, withinMs });
    });
    return figuresOf(stage, connections * count, spent);
  },
};

/**
 * Connections with one subscription, to which nothing happens. Some are opened before anything is measured: code that is loaded and
 * compiled for the first of them is no cost of each.
 */
export const idle = {
  name: "idle",
  /** @param {Stage} stage @param {Idle} size */
  async play(stage, { connections }) {
    await open(stage, Math.min(WARM_UP_CONNECTIONS, connections));
    const before = await stage.server.ask({ do: "memory" });
    const { cpu } = await stage.timed(async () => {
      await open(stage, connections);
      await new Promise((done) => setTimeout(done, SETTLING_MS));
    });
    const after = await stage.server.ask({ do: "memory" });
    return {
      accept: (cpu * MICRO) / connections,
      resident: (after.rss - before.rss) / KiB / connections,
      heap: (after.heap - before.heap) / KiB / connections,
    };
  },
};

const DATA = { text: "x".repeat(100) };
const BATCH = 100;

/** @type {Record<string, { single: { path: string, body: unknown }, batch?: { path: string, body: unknown } }>} */
const CALLS = {
  fanfare: {
    single: { path: "/push/channels/bench/messages", body: { event: "message", data: DATA } },
    batch: {
      path: "/push/messages",
      body: { messages: new Array(BATCH).fill({ channel: "bench", event: "message", data: DATA }) },
    },
  },
  http: {
    single: { path: "/", body: { event: "message", data: DATA } },
    batch: {
      path: "/",
      body: { messages: new Array(BATCH).fill({ channel: "bench", event: "message", data: DATA }) },
    },
  },
  feathers: { single: { path: "/messages", body: { event: "message", data: DATA } } },
};

/**
 * Publishes over HTTP, from kept connections; nobody listens.
 *
 * @param {"single" | "batch"} kind
 * @param {number} messagesPerRequest
 */
function posts(kind, messagesPerRequest) {
  return {
    name: kind,
    /** @param {Stage} stage @param {Posts} size */
    async play({ peer, generator, port, timed }, { connections, requests, warmUp }) {
      const call = CALLS[peer.server.replace(".mjs", "")]?.[kind];
      if (!call) throw new Error("has no such call");
      const order = { do: "post", port, path: call.path, body: JSON.stringify(call.body), connections };
      const first = await generator.ask({ ...order, requests: warmUp });
      check(first);
      if (first.refused) throw new Error(`${call.path} is answered by ${first.refused}`);
      const { cpu, seconds, result } = await timed(() => generator.ask({ ...order, requests }));
      check({ trouble: result.refused });
      return {
        request: (cpu * MICRO) / requests,
        message: (cpu * MICRO) / requests / messagesPerRequest,
        perSecond: (requests * messagesPerRequest) / seconds,
      };
    },
  };
}

export const singles = posts("single", 1);
export const batches = posts("batch", BATCH);
