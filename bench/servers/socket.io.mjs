/** Socket.IO 4 with its defaults: each connection joins a room, messages are emitted to the room. */
import { Server } from "socket.io";
import { serve } from "./serve.mjs";

serve((server) => {
  const io = new Server(server);
  io.on("connection", (socket) => socket.join("bench"));
  return (data) => io.to("bench").emit("message", data);
});
