/** Fanfare's door for Socket.IO, with one channel that each connection hears by itself. */
import { createFanfare } from "fanfare";
import { serve } from "./serve.mjs";

serve((server) => {
  const fanfare = createFanfare({
    access: "open",
    socketio: {},
    rules: [{ channels: "bench", auto: true }],
  });
  fanfare.attach(server);
  return (data) => fanfare.publish("bench", data);
});
