/** Feathers 5 on Koa and Socket.IO: a service whose `create` is published to a channel that all connections join. */
import { feathers } from "@feathersjs/feathers";
import { bodyParser, errorHandler, koa, rest } from "@feathersjs/koa";
import socketio from "@feathersjs/socketio";
import { serve } from "./serve.mjs";

class Messages {
  /** @param {object} data */
  async create(data) {
    return data;
  }
}

serve(async (server) => {
  const app = koa(feathers());
  app.use(errorHandler());
  app.use(bodyParser());
  app.configure(rest());
  app.configure(socketio());
  app.use("messages", new Messages());
  app.on("connection", (connection) => app.channel("everybody").join(connection));
  app.service("messages").publish(() => app.channel("everybody"));
  server.on("request", app.callback());
  await app.setup(server);
  return (data) => app.service("messages").create(data);
});
