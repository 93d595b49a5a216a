/** The bench runs, and counts what it sends. Says nothing about speed. */
import { expect, test } from "vitest";
import { measureOnce } from "../../bench/measure.mjs";
import { FANFARE, FANFARE_SOCKET_IO, WS } from "../../bench/plan.mjs";
import { oneByOne } from "../../bench/scenarios.mjs";

const size = { connections: 20, messages: 10, everyMs: 5 };

test.runIf(process.platform === "linux").each([FANFARE, FANFARE_SOCKET_IO, WS])(
  "$name delivers each message to all, once",
  async (peer) => {
    const { figures, trouble } = await measureOnce(oneByOne, peer, size);

    expect(trouble).toBeUndefined();
    expect(figures).toMatchObject({ lost: 0, doubled: 0, late: 0 });
  },
);
