/** Writes docs/benchmarks.md: the tables, how they came to be, and what they do not say. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../scripts/run.mjs";
import { header, table } from "./report.mjs";

const HOW = `## How it is measured

\`npm run bench\` starts each server in a process of its own, and one load generator in another: raw TCP sockets, with a scanner that
only looks at the heads of frames and at a stamp of fixed width in each message. The generator is the same for all, on the same machine,
over loopback. A message is a JSON object of about 150 bytes.

- **One message at a time**: the next is published when all connections have the one before, and no sooner than 8 ms after it. So no two messages share
  a write, and no server has more to do than 62,500 deliveries a second. A large part of it is the kernel's work for one write, the same for all: what
  Node needs to write ready-made bytes to its sockets, and to do nothing else, is the last row.
- **CPU** is the processor time of the server's process, in user space and in the kernel (\`/proc/<pid>/stat\`), divided by what it did.
- **p50, p99** are delays from the moment at which a message was *due* to be published until the generator had read it. A server that is
  too busy to publish in time is not faster for it.
- **Under a steady load** the generator naps for 4 ms in each turn of its event loop, so that frames gather instead of waking it one by one: delays are measured by
  at most that much too long.
- **Lost, doubled**: every message has a number, and every connection is checked for holes and repetitions. Messages that have not arrived 30 seconds
  after the last one was due are neither, and have a column of their own.
- **Messages** are published in the server's process, at a steady rate, at most 100 in one turn of the event loop. The time that this takes is part of the server's.
- **Memory** is the growth of the server's process from no connections to all: resident as it stands, heap and buffers after garbage collection.
- **Waited for a core**: the share of the time for which the server or the generator, whichever had it worse, could have run and was not let. Much of it means
  that the machine had other work, or too few cores: then delays and rates say little, CPU per delivery still something.
- **HTTP** requests come from 16 kept connections, the next when the answer is there; the channel has no listeners.
- Before anything is measured, about 100,000 deliveries go by, and at least 20 messages, so that what V8 compiles at the beginning is not counted.
- The scenarios are played in rounds, one peer after the other within each. Cells are medians, with the lowest and the highest in brackets. A run in which the
  generator used more than 80 % of a core is void, is repeated up to two times, and is counted under its table. Nothing else is left out.

The peers stand as their own guides set them up: [\`bench/servers\`](../bench/servers) has them, some twenty lines each.

## To repeat it

\`\`\`sh
npm run bench                          # 5 rounds, about 20 minutes; on Linux
npm run bench -- --quick               # 1 short round
npm run bench -- --only bd --rounds 3  # some scenarios: a to f
npm run bench -- --docs                # writes this page
npm run bench -- --against main        # this working copy next to another commit; exit code 1 when it is slower
\`\`\`

Every run is kept as JSON in \`bench/results\`. Slower means: a median more than 10 % and more than twice the spread (half of highest minus lowest) above the
other's. \`ulimit -n\` has to allow 8,200 files; with less, there are fewer connections, and the tables say so; under 700 it does
not start.

## What it does not say

- Nothing crosses a network, and there is no TLS, no proxy and no browser. Those cost more than what is compared here.
- Server and generator share the machine: absolute figures change from machine to machine, ratios less so.
- One channel to which all listen is the best case of every server. Many channels with a few listeners each are another matter.
- The peers do other things: a plain loop keeps no history and notices no loss; Socket.IO and Feathers call functions in both directions.
- A process that gets more than it can do is shown with the delays that follow. Do not run it like that.
`;

/** @param {ReturnType<typeof import("./report.mjs").machine>} on @param {readonly import("./against.mjs").Result[]} results */
export function writeDocs(on, results) {
  const tables = results.map(({ act, runs }) => table(act, runs));
  const text = ["# Benchmarks", header(on), "## Figures", ...tables, HOW].join("\n\n");
  mkdirSync(join(ROOT, "docs"), { recursive: true });
  writeFileSync(join(ROOT, "docs", "benchmarks.md"), text);
}
