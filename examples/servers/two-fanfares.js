// Two Fanfares on one server: what has to arrive, and what only matters while it is new.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createFanfare } from "fanfare";

const page = readFileSync(new URL("two-fanfares.html", import.meta.url));
// Pages may listen without logging in.
const listen = (channels) => [{ channels, actions: ["subscribe", "history"] }];
const orders = createFanfare({
  anonymous: listen("order:*"),
  rules: [{ channels: "order:*", history: 1000, historySeconds: 3600 }],
});
const prices = createFanfare({
  path: "/prices",
  anonymous: listen("price:*"),
  // At most 5 writes a second to each window, the newest price of what waits.
  rules: [{ channels: "price:*", history: 1, maxRate: 5, events: "latest" }],
});

async function sell(thing) {
  for (let price = 1; price <= 100; price++) await prices.publish(`price:${thing}`, { price });
}

const server = createServer((request, response) => {
  const done = () => response.writeHead(204).end();
  const failed = (error) => response.writeHead(error.status ?? 500).end(error.message);
  switch (`${request.method} ${request.url}`) {
    case "POST /orders/42/pay":
      return orders.publish("order:42", { status: "paid" }).then(done, failed);
    case "POST /trades/tea/sell":
      return sell("tea").then(done, failed);
    case "GET /":
      return response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(page);
    default:
      return response.writeHead(404).end();
  }
});

for (const fanfare of [orders, prices]) fanfare.attach(server);
server.listen(process.env.PORT ?? 8080, () => console.log(`http://localhost:${server.address().port}/`));

process.once("SIGTERM", async () => {
  await Promise.all([orders.close(), prices.close()]);
  server.close();
});
