/** What a JSON POST costs in node:http alone: reads the body, parses it, and answers with a line of JSON. */
import { serve } from "./serve.mjs";

serve((server) => {
  let offset = 0;
  server.on("request", (request, response) => {
    /** @type {Buffer[]} */
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      JSON.parse(Buffer.concat(parts).toString());
      offset += 1;
      const answer = JSON.stringify({ channel: "bench", offset });
      response.writeHead(201, {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(answer),
      });
      response.end(answer);
    });
  });
  return () => {
    throw new Error("nobody listens here");
  };
});
