/** All fuzzers, for what runs them without knowing what they send. */
import fc from "fast-check";
import type { Fuzzer, Target } from "./fuzzer.js";
import { httpRequests } from "./http.js";
import { polledPackets, socketIoPackets } from "./socketio.js";
import { webSocketFrames } from "./websocket.js";

export interface Drawing {
  readonly name: string;
  /** Draws so many cases, the same for the same seed. Each sends itself, or throws an error that tells it. */
  draw(seed: number, count: number): ((target: Target) => Promise<void>)[];
}

function drawing<Case>({ name, cases, send }: Fuzzer<Case>): Drawing {
  return {
    name,
    draw: (seed, count) =>
      fc.sample(cases, { seed, numRuns: count }).map((drawn) => async (target) => {
        try {
          await send(target, drawn);
        } catch (error) {
          throw new Error(`${name}, ${fc.stringify(drawn)}: ${String(error)}`, { cause: error });
        }
      }),
  };
}

export const FUZZERS: readonly Drawing[] = [
  drawing(webSocketFrames),
  drawing(httpRequests),
  drawing(socketIoPackets),
  drawing(polledPackets),
];
