/** The least one can do with `ws`: a loop over all clients. */
import { WebSocket, WebSocketServer } from "ws";
import { serve } from "./serve.mjs";

serve((server) => {
  const sockets = new WebSocketServer({ server });
  return (data) => {
    const text = JSON.stringify({ event: "message", data });
    for (const client of sockets.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(text);
    }
  };
});
