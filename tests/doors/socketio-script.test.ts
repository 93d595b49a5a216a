import { request } from "node:http";
import { expect, test } from "vitest";
import { serve } from "../library/serve.js";

test("the script of Socket.IO is served whole, whatever part of it is asked for", async () => {
  const { port } = await serve({ socketio: { path: "/socket.io" } });
  for (const range of ["bytes=0-10", "bytes=5-2", "bytes=-5", "bytes=0-99999999999999999999", "x"]) {
    const answer = new Promise<{ status: number | undefined; bytes: number }>((done, failed) => {
      const options = { host: "127.0.0.1", port, path: "/socket.io/socket.io.js", headers: { Range: range } };
      request(options, async (response) => {
        let bytes = 0;
        for await (const part of response) bytes += (part as Buffer).length;
        done({ status: response.statusCode, bytes });
      })
        .once("error", failed)
        .end();
    });
    const { status, bytes } = await answer;
    expect([range, status]).toEqual([range, 200]);
    expect(bytes).toBeGreaterThan(50_000);
  }
});
