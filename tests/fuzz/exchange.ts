/** One TCP connection of a fuzz test: sends bytes, and waits until the server has had its say. */
import { connect } from "node:net";

/** A server that says nothing for so long may wait for more: then the client goes. */
const SILENCE_MS = 250;
const DEADLINE_MS = 20_000;

export interface Exchange {
  readonly port: number;
  readonly pieces: readonly Buffer[];
  /** Goes at once, whatever the server still has to say. */
  readonly leaves: boolean;
  /** Enough has come: the client goes. */
  readonly enough?: (answer: string) => boolean;
}

/** Resolves with what came, once the connection is closed. @throws when the server does not close what its client has ended */
export function exchange({ port, pieces, leaves, enough }: Exchange): Promise<string> {
  return new Promise((done, fail) => {
    let answer = "";
    const socket = connect({ port, host: "localhost", allowHalfOpen: true });
    const deadline = setTimeout(() => {
      socket.destroy();
      fail(new Error(`the server does not close a connection whose client is gone; it said ${answer}`));
    }, DEADLINE_MS);
    socket.setTimeout(SILENCE_MS, () => socket.end());
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      if (answer.length < 10_000) answer += bytes.toString("latin1");
      if (enough?.(answer)) socket.destroy();
    });
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      clearTimeout(deadline);
      done(answer);
    });
    socket.on("connect", () => {
      socket.setNoDelay(true);
      for (const piece of pieces) socket.write(piece);
      if (leaves) socket.end();
    });
  });
}
