// Express 5, with a body parser for all routes: it does not get in Fanfare's way.
import { fileURLToPath } from "node:url";
import express from "express";
import { createFanfare } from "fanfare";

const page = fileURLToPath(new URL("order.html", import.meta.url));
// Pages may listen without logging in. Your users log in: see "Who may do what" in the README.
const fanfare = createFanfare({ anonymous: [{ channels: "order:*", actions: ["subscribe", "history"] }] });
const app = express();
app.use(express.json());

app.get("/", (_request, response) => response.sendFile(page));

app.post("/orders/:order/pay", async (request, response) => {
  await fanfare.publish(`order:${request.params.order}`, { status: "paid", note: request.body?.note });
  response.sendStatus(204);
});

const server = app.listen(process.env.PORT ?? 8080, (error) => {
  if (error) throw error;
  console.log(`http://localhost:${server.address().port}/`);
});
// To the server, not to the app: an Express app never sees WebSockets.
fanfare.attach(server);

process.once("SIGTERM", async () => {
  // Clients first: each is told when to come back. Their WebSockets would keep the server from closing.
  await fanfare.close();
  server.close();
});
