import type { GapReason, Position } from "@fanfare/protocol";
import {
  type Delivered,
  type DoorClient,
  doorContract,
  type Ended,
} from "../../packages/server/src/doors/door.contract.js";
import { SOCKETIO_CAN } from "../../packages/server/src/doors/socketio/door.js";
import { serve } from "./serving.js";
import { ask, connect, type ShownError, type SocketIoClient } from "./socketio-client.js";
import { Inbox } from "./waiting.js";

interface Answer extends Position {
  readonly recovered: boolean;
  readonly reason?: GapReason;
  readonly state?: unknown;
  readonly presence?: { readonly count: number };
  readonly error?: ShownError;
}

interface Message extends Position {
  readonly channel: string;
  readonly data: unknown;
}

interface Gap extends Position {
  readonly channel: string;
  readonly from: number;
  readonly to: number;
  readonly reason: GapReason;
}

doorContract("Socket.IO", SOCKETIO_CAN, async (options) => {
  const { fanfare, port } = await serve({ ...options, socketio: {} });
  return { fanfare, open: (token) => open(`http://localhost:${port}`, token) };
});

async function open(site: string, token?: string): Promise<DoorClient> {
  const positions = new Map<string, Position>();
  const deliveries = new Inbox<Delivered>("deliveries");
  const taken = new Inbox<string>("subscriptions that the server has ended");
  const presences = new Inbox<{ readonly count: number }>("news of who is present");
  let ended: Promise<Ended & { readonly code?: string | undefined }>;
  const begin = async (): Promise<SocketIoClient> => {
    const client = await connect(site, token === undefined ? {} : { auth: { token } }).catch(refused);
    const { socket, heard } = client;
    if (!socket.connected) {
      // It was sent away with the same bytes that told that it is connected.
      const { args } = await heard.nextThat(({ event }) => event === "goodbye");
      throw new Error((args as [{ error: ShownError }])[0].error.data.code);
    }
    socket.on("message", ({ channel, offset, data }: Message, position: string) => {
      positions.set(channel, { epoch: position.split(":")[0] as Position["epoch"], offset });
      deliveries.put({ kind: "message", channel, offset, data });
    });
    socket.on("gap", ({ channel, epoch, from, to, reason }: Gap) => {
      positions.set(channel, { epoch, offset: to });
      deliveries.put({ kind: "gap", channel, from, to, reason });
    });
    socket.on("unsubscribed", ({ channel }: { readonly channel: string }) => taken.put(channel));
    socket.on("presence", (news: { readonly count: number }) => presences.put(news));
    let goodbye: Ended & { readonly error?: ShownError } = {};
    socket.on("goodbye", (said: typeof goodbye) => {
      goodbye = said;
    });
    ended = new Promise((done) => {
      socket.once("disconnect", () => done({ ...goodbye, code: goodbye.error?.data.code }));
    });
    return client;
  };
  let client = await begin();
  const subscribe: DoorClient["subscribe"] = async (channel, since) => {
    const asked = ask<Answer>(client, "subscribe", { channel, ...(since && { since }) });
    const sentAway = ended.then(({ code }) => Promise.reject(new Error(code)));
    const { error, epoch, offset, recovered, reason, state, presence } = await Promise.race([
      asked,
      sentAway,
    ]);
    if (error) throw new Error(error.data.code);
    positions.set(channel, { epoch, offset });
    return {
      position: { epoch, offset },
      recovered,
      ...(reason && { reason }),
      ...(state !== undefined && { state }),
      ...(presence && { present: presence.count }),
    };
  };
  const rawSocket = () => socketBelow(client);
  return {
    subscribe,
    async unsubscribe(channel) {
      const { error } = await ask<Partial<Answer>>(client, "unsubscribe", { channel });
      if (error) throw new Error(error.data.code);
    },
    async publish(channel, data) {
      const { error } = await ask<Partial<Answer>>(client, "publish", { channel, data });
      if (error) throw new Error(error.data.code);
    },
    async renew(token) {
      const sentAway = ended.then(({ code }) => Promise.reject(new Error(code)));
      const asked = ask<{ readonly error?: ShownError }>(client, "token", token);
      const { error } = await Promise.race([asked, sentAway]);
      if (error) throw new Error(error.data.code);
    },
    revoked: () => taken.next(),
    next: () => deliveries.next(),
    present: async () => (await presences.next()).count,
    get waiting() {
      return deliveries.size;
    },
    stopReading: () => rawSocket().pause(),
    readAgain: () => rawSocket().resume(),
    async leave() {
      client.socket.disconnect();
      await ended;
    },
    vanish: () => rawSocket().terminate(),
    async comeBack() {
      client = await begin();
      let recovered = true;
      for (const [channel, since] of positions)
        recovered &&= (await subscribe(channel, since)).recovered === true;
      return recovered;
    },
    get ended() {
      return ended;
    },
  };
}

/** The `WebSocket` of `ws` that the library uses in Node. */
function socketBelow({ socket }: SocketIoClient): { pause(): void; resume(): void; terminate(): void } {
  const { transport } = socket.io.engine as unknown as {
    transport: { ws: { pause(): void; resume(): void; terminate(): void } };
  };
  return transport.ws;
}

function refused(error: {
  data?: ShownError["data"] & ShownError;
  description?: { message?: string };
}): never {
  throw new Error(error.data?.data.code ?? error.description?.message);
}
