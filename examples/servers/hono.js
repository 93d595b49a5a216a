// Hono on Node.js.
import { readFileSync } from "node:fs";
import { serve } from "@hono/node-server";
import { createFanfare } from "fanfare";
import { Hono } from "hono";

const page = readFileSync(new URL("order.html", import.meta.url), "utf8");
// Pages may listen without logging in. Your users log in: see "Who may do what" in the README.
const fanfare = createFanfare({ anonymous: [{ channels: "order:*", actions: ["subscribe", "history"] }] });
const app = new Hono();

app.get("/", (c) => c.html(page));

app.post("/orders/:order/pay", async (c) => {
  await fanfare.publish(`order:${c.req.param("order")}`, { status: "paid" });
  return c.body(null, 204);
});

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 8080) }, ({ port }) =>
  console.log(`http://localhost:${port}/`),
);
// To the server: fanfare.fetch would do for HTTP, but WebSockets need it.
fanfare.attach(server);

process.once("SIGTERM", async () => {
  // Clients first: each is told when to come back. Their WebSockets would keep the server from closing.
  await fanfare.close();
  server.close();
});
