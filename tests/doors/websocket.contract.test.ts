import {
  type Delivered,
  type DoorClient,
  doorContract,
} from "../../packages/server/src/doors/door.contract.js";
import { Client } from "./client.js";
import { serve } from "./serving.js";

doorContract("WebSocket", { positions: true, unsubscribe: true, publish: true }, async (options) => {
  const { fanfare, url } = await serve(options);
  return {
    fanfare,
    open: async () => inWordsOfTheContract(await Client.connect(url)),
    stop: () => fanfare.close(),
  };
});

function inWordsOfTheContract(client: Client): DoorClient {
  return {
    async subscribe(channel, since) {
      const { epoch, offset, recovered, reason } = await client.subscribe(channel, since);
      return { position: { epoch, offset }, recovered, ...(reason && { reason }) };
    },
    async unsubscribe(channel) {
      const { type } = await client.ask({ type: "unsubscribe", channel });
      if (type !== "ok") throw new Error(`unsubscribe was answered by ${type}`);
    },
    async publish(channel, data) {
      const { type } = await client.ask({ type: "publish", channel, data });
      if (type !== "ok") throw new Error(`publish was answered by ${type}`);
    },
    async next(): Promise<Delivered> {
      const frame = await client.deliveries.next();
      const { channel } = frame;
      if (frame.type === "message")
        return { kind: "message", channel, offset: frame.offset, data: frame.data };
      return { kind: "gap", channel, from: frame.from, to: frame.to, reason: frame.reason };
    },
    stopReading: () => client.ws.pause(),
    readAgain: () => client.ws.resume(),
    leave: () => client.leave(1000),
    vanish: () => client.vanish(),
  };
}
