import type { Position } from "@fanfare/protocol";
import {
  type Delivered,
  type DoorClient,
  doorContract,
} from "../../packages/server/src/doors/door.contract.js";
import { SSE_CAN } from "../../packages/server/src/doors/sse/door.js";
import { EventStream } from "./event-stream.js";
import { serve } from "./serving.js";

doorContract("SSE", SSE_CAN, async (options) => {
  const { fanfare, http } = await serve(options);
  return { fanfare, open: async (token) => clientOf(http, token) };
});

/** Each has one stream: what a stream carries is in its address. */
function clientOf(http: string, token?: string): DoorClient {
  const authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  let address = "";
  let stream: EventStream | null = null;
  const need = () => {
    if (!stream) throw new Error("nothing is subscribed");
    return stream;
  };
  return {
    async subscribe(channel, since) {
      const from = since ? `&since=${since.epoch}:${since.offset}` : "";
      address = `${http}/sse?channel=${channel}${from}`;
      stream = await EventStream.open(address, { headers: authorization });
      const { channel: _, head: __, epoch, offset, ...answer } = await stream.next("subscribed");
      const {
        presence,
        stateOffset: ___,
        ...rest
      } = answer as { presence?: { count: number } } & typeof answer;
      return {
        ...rest,
        position: { epoch, offset } as Position,
        ...(presence && { present: presence.count }),
      };
    },
    unsubscribe: async () => need().vanish(),
    publish: () => Promise.reject(new Error("it cannot publish")),
    renew: () => Promise.reject(new Error("it cannot renew")),
    revoked: async () => String((await need().next("unsubscribed")).channel),
    async next(): Promise<Delivered> {
      const { name, data } = await need().deliveries.next();
      const fields = JSON.parse(data);
      return { kind: name === "fanfare.gap" ? "gap" : "message", ...fields };
    },
    present: async () => Number((await need().next("presence")).count),
    get waiting() {
      return need().deliveries.size;
    },
    stopReading: () => void need().response.pause(),
    readAgain: () => void need().response.resume(),
    async leave() {
      need().vanish();
      await need().ended;
    },
    vanish: () => need().vanish(),
    async comeBack() {
      const { lastEventId } = need();
      stream = await EventStream.open(address, {
        headers: { ...authorization, "Last-Event-ID": lastEventId },
      });
      return (await stream.next("subscribed")).recovered === true;
    },
    get ended() {
      return need().ended.then(async () => {
        const closed = need().heard.find(({ name }) => name === "fanfare.closed");
        const { retryAfterSeconds } = JSON.parse(closed?.data ?? "{}");
        return typeof retryAfterSeconds === "number" ? { retryAfterSeconds } : {};
      });
    },
  };
}
