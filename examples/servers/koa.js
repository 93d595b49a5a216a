// Koa 3.
import { readFileSync } from "node:fs";
import { createFanfare } from "fanfare";
import Koa from "koa";

const page = readFileSync(new URL("order.html", import.meta.url), "utf8");
// Pages may listen without logging in. Your users log in: see "Who may do what" in the README.
const fanfare = createFanfare({ anonymous: [{ channels: "order:*", actions: ["subscribe", "history"] }] });
const app = new Koa();

app.use(async (context, next) => {
  const [, order] = /^\/orders\/(\w+)\/pay$/.exec(context.path) ?? [];
  if (context.method !== "POST" || !order) return next();
  await fanfare.publish(`order:${order}`, { status: "paid" });
  context.status = 204;
});

app.use((context) => {
  if (context.path === "/") context.body = page;
});

const server = app.listen(process.env.PORT ?? 8080, () =>
  console.log(`http://localhost:${server.address().port}/`),
);
// To the server, not to the app: a Koa app never sees WebSockets.
fanfare.attach(server);

process.once("SIGTERM", async () => {
  // Clients first: each is told when to come back. Their WebSockets would keep the server from closing.
  await fanfare.close();
  server.close();
});
