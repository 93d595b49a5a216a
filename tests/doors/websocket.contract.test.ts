import type { Position } from "@fanfare/protocol";
import {
  type Delivered,
  type DoorClient,
  doorContract,
} from "../../packages/server/src/doors/door.contract.js";
import { WEBSOCKET_CAN } from "../../packages/server/src/doors/websocket/door.js";
import { Client, refused } from "./client.js";
import { serve } from "./serving.js";

doorContract("WebSocket", WEBSOCKET_CAN, async (options) => {
  const { fanfare, url } = await serve(options);
  return { fanfare, open: (token) => open(url, token) };
});

async function open(url: string, token?: string): Promise<DoorClient> {
  const connect = async () => {
    const opened = await Client.open(url).catch(async (error: unknown) => {
      const { problem } = await refused(url).catch(() => ({ problem: { code: String(error) } }));
      throw new Error(problem.code);
    });
    const answer = await Promise.race([opened.connect(token === undefined ? {} : { token }), opened.closed]);
    if ("reason" in answer) throw new Error(answer.code === 4401 ? "not_logged_in" : answer.reason);
    return opened;
  };
  let client = await connect();
  const positions = new Map<string, Position>();
  const subscribe: DoorClient["subscribe"] = async (channel, since) => {
    const answer = await client.ask({ type: "subscribe", channel, ...(since && { since }) });
    if (answer.type !== "subscribed") throw new Error(answer.type === "error" ? answer.code : answer.type);
    const { epoch, offset, recovered, reason, state, presence } = answer;
    positions.set(channel, { epoch, offset });
    return {
      position: { epoch, offset },
      recovered,
      ...(reason && { reason }),
      ...(state !== undefined && { state }),
      ...(presence && { present: presence.count }),
    };
  };
  return {
    subscribe,
    async unsubscribe(channel) {
      const { type } = await client.ask({ type: "unsubscribe", channel });
      if (type !== "ok") throw new Error(`unsubscribe was answered by ${type}`);
    },
    async publish(channel, data) {
      const { type } = await client.ask({ type: "publish", channel, data });
      if (type !== "ok") throw new Error(`publish was answered by ${type}`);
    },
    async renew(token) {
      client.say({ type: "token", token });
      const answered = client.others.nextThat(({ type }) => type === "token");
      await answered.catch(async () => {
        throw new Error(String((await client.closed).code));
      });
    },
    async revoked() {
      const told = await client.others.nextThat(({ type }) => type === "unsubscribed");
      return told.type === "unsubscribed" ? told.channel : "";
    },
    async next(): Promise<Delivered> {
      const frame = await client.deliveries.next();
      const { channel } = frame;
      const before = positions.get(channel);
      const offset = frame.type === "message" ? frame.offset : frame.to;
      if (before)
        positions.set(channel, { ...before, offset, ...(frame.type === "gap" && { epoch: frame.epoch }) });
      if (frame.type === "message") return { kind: "message", channel, offset, data: frame.data };
      return { kind: "gap", channel, from: frame.from, to: frame.to, reason: frame.reason };
    },
    async present() {
      const news = await client.others.nextThat(({ type }) => type === "presence");
      return news.type === "presence" ? news.count : 0;
    },
    get waiting() {
      return client.deliveries.size;
    },
    stopReading: () => client.ws.pause(),
    readAgain: () => client.ws.resume(),
    leave: () => client.leave(1000),
    vanish: () => client.vanish(),
    async comeBack() {
      client = await connect();
      let recovered = true;
      for (const [channel, since] of positions)
        recovered &&= (await subscribe(channel, since)).recovered === true;
      return recovered;
    },
    get ended() {
      return client.closed.then(() => {
        const goodbye = client.heard.find(({ type }) => type === "goodbye");
        return goodbye?.type === "goodbye" ? { retryAfterSeconds: goodbye.retryAfterSeconds } : {};
      });
    },
  };
}
