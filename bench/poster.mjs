/** Sends the same POST over and over on kept connections, the next when the answer is there: raw TCP, no HTTP client. */
import { connect } from "node:net";

/**
 * @param {object} options
 * @param {number} options.port
 * @param {string} options.path
 * @param {string} options.body JSON
 * @param {number} options.connections
 * @param {number} options.requests in all
 * @returns {Promise<{ refused: string | null }>} the first status line that was no success
 */
export async function post({ port, path, body, connections, requests }) {
  const request = Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  let left = requests;
  /** @type {string | null} */
  let refused = null;

  /** @returns {Promise<void>} */
  function postAll() {
    return new Promise((done, fail) => {
      let answer = "";
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      function next() {
        if (left <= 0 || refused !== null) {
          socket.destroy();
          done();
          return;
        }
        left -= 1;
        socket.write(request);
      }
      socket.setEncoding("latin1");
      socket.on("connect", next);
      socket.on("error", fail);
      socket.on("end", () => fail(new Error("the server closed a connection that was to be kept")));
      socket.on("data", (text) => {
        answer += text;
        if (!isWhole(answer)) return;
        if (!answer.startsWith("HTTP/1.1 2")) refused ??= answer.slice(0, answer.indexOf("\r\n"));
        answer = "";
        next();
      });
    });
  }

  await Promise.all(Array.from({ length: connections }, postAll));
  return { refused };
}

/** @param {string} answer head and body, as far as they are there */
function isWhole(answer) {
  const head = answer.indexOf("\r\n\r\n");
  if (head < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer.slice(0, head));
  return length ? answer.length >= head + 4 + Number(length[1]) : answer.endsWith("\r\n0\r\n\r\n");
}
