// Node's own HTTP server, nothing else.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createFanfare } from "fanfare";

const page = readFileSync(new URL("order.html", import.meta.url));
// Pages may listen without logging in. Your users log in: see "Who may do what" in the README.
const fanfare = createFanfare({ anonymous: [{ channels: "order:*", actions: ["subscribe", "history"] }] });

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

fanfare.attach(server);
server.listen(process.env.PORT ?? 8080, () => console.log(`http://localhost:${server.address().port}/`));

process.once("SIGTERM", async () => {
  // Clients first: each is told when to come back. Their WebSockets would keep the server from closing.
  await fanfare.close();
  server.close();
});
