// Fastify 5.
import { readFileSync } from "node:fs";
import { createFanfare } from "fanfare";
import fastify from "fastify";

const page = readFileSync(new URL("order.html", import.meta.url));
// Pages may listen without logging in. Your users log in: see "Who may do what" in the README.
const fanfare = createFanfare({ anonymous: [{ channels: "order:*", actions: ["subscribe", "history"] }] });
const app = fastify();

app.get("/", (_request, reply) => reply.type("text/html; charset=utf-8").send(page));

app.post("/orders/:order/pay", async (request, reply) => {
  await fanfare.publish(`order:${request.params.order}`, { status: "paid" });
  return reply.code(204).send();
});

fanfare.attach(app.server);
// Before Fastify closes its server, which the clients' WebSockets would keep open.
app.addHook("preClose", () => fanfare.close());

// An address, not "localhost", Fastify's default: that may open a second server, where Fanfare answers no HTTP.
await app.listen({ port: process.env.PORT ?? 8080, host: "0.0.0.0" });
console.log(`http://localhost:${app.server.address().port}/`);

process.once("SIGTERM", () => app.close());
