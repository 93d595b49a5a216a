// Several processes with node:cluster: one has the channels, the others serve clients, all on one port.
import cluster from "node:cluster";
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFanfare, EngineServer, MemoryEngine, RemoteEngine } from "fanfare";

if (cluster.isPrimary) {
  const engine = new MemoryEngine(); // or: await DiskEngine.open({ dataDir: folder })
  const folder = mkdtempSync(join(tmpdir(), "orders-"));
  const served = await EngineServer.open({ engine, folder });
  for (let worker = 0; worker < 2; worker++) cluster.fork({ FOLDER: folder });
  process.once("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers)) worker.process.kill();
    cluster.disconnect(() => served.close());
  });
} else {
  const page = readFileSync(new URL("order.html", import.meta.url));
  const engine = await RemoteEngine.open({ folder: process.env.FOLDER });
  const anonymous = [{ channels: "order:*", actions: ["subscribe", "history"] }];
  const fanfare = createFanfare({ engine, anonymous });
  const server = createServer((request, response) => {
    const [, order] = /^\/orders\/(\w+)\/pay$/.exec(request.url ?? "") ?? [];
    if (request.method === "POST" && order) {
      fanfare.publish(`order:${order}`, { status: "paid" }).then(
        () => response.writeHead(204).end(),
        (error) => response.writeHead(error.status ?? 500).end(error.message),
      );
    } else if (request.url === "/") {
      response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(page);
    } else response.writeHead(404).end();
  });
  fanfare.attach(server);
  const log = () => cluster.worker.id === 2 && console.log(`http://localhost:${server.address().port}/`);
  server.listen(process.env.PORT ?? 8080, log);
  process.once("SIGTERM", async () => {
    await fanfare.close();
    server.close(() => process.exit());
  });
}
