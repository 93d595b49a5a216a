// The server behind nginx: reached from this machine only, and by other servers with a key.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createFanfare } from "fanfare";

const page = readFileSync(new URL("../order.html", import.meta.url));
const fanfare = createFanfare({
  apiKeys: [process.env.API_KEY ?? ""], // at least 16 characters
  anonymous: [{ channels: "order:*", actions: ["subscribe", "history"] }], // pages may listen without logging in
  socketio: {}, // left out where no client speaks Socket.IO
  trustedProxies: ["127.0.0.1"], // nginx: limits count by the addresses that it tells
});

const server = createServer((request, response) => {
  const [, order] = /^\/orders\/(\w+)\/pay$/.exec(request.url ?? "") ?? [];
  if (request.method === "POST" && order) {
    fanfare.publish(`order:${order}`, { status: "paid" }).then(
      () => response.writeHead(204).end(),
      (error) => response.writeHead(error.status ?? 500).end(error.message),
    );
  } else if (request.url === "/") {
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(page);
  } else {
    response.writeHead(404).end();
  }
});
// nginx keeps connections to this server for 60 seconds (keepalive_timeout); the server must not close them first.
server.keepAliveTimeout = 75_000;

fanfare.attach(server);
server.listen(process.env.PORT ?? 8080, "127.0.0.1", () =>
  console.log(`http://localhost:${server.address().port}/`),
);

process.once("SIGTERM", async () => {
  // Clients first: each is told when to come back. Their WebSockets would keep the server from closing.
  await fanfare.close();
  server.close();
});
