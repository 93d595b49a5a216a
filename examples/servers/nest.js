// NestJS 11. A decorator is a function: called by hand here, since @Get() in front of a method needs a compiler.
import "reflect-metadata";
import { readFileSync } from "node:fs";
import { Controller, Get, HttpCode, Module, Param, Post } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { createFanfare } from "fanfare";

const page = readFileSync(new URL("order.html", import.meta.url), "utf8");
// Pages may listen without logging in. Your users log in: see "Who may do what" in the README.
const fanfare = createFanfare({ anonymous: [{ channels: "order:*", actions: ["subscribe", "history"] }] });

class Orders {
  page() {
    return page;
  }
  async pay(order) {
    await fanfare.publish(`order:${order}`, { status: "paid" });
  }
  // Before Nest closes its server, which the clients' WebSockets would keep open.
  beforeApplicationShutdown() {
    return fanfare.close();
  }
}
Controller()(Orders);
decorate("page", Get());
decorate("pay", Post("orders/:order/pay"), HttpCode(204));
Param("order")(Orders.prototype, "pay", 0);
function decorate(method, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(Orders.prototype, method);
  for (const decorator of decorators) decorator(Orders.prototype, method, descriptor);
}

class App {}
Module({ controllers: [Orders] })(App);
const app = await NestFactory.create(App, { logger: ["warn", "error"] });
fanfare.attach(app.getHttpServer());
await app.listen(process.env.PORT ?? 8080, "0.0.0.0");
console.log(`http://localhost:${app.getHttpServer().address().port}/`);

// Not enableShutdownHooks(): that ends the process by the same signal once more, with exit code 143.
process.once("SIGTERM", () => app.close());
