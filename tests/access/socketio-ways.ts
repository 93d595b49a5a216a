/** The calls of the Socket.IO door and of Feathers' services, for the tables of access. */
import { ask, connect, type ShownError } from "../doors/socketio-client.js";
import type { Served, Way } from "./tables.js";

/** The services of the server of the tests: the first segments of its channels. */
export const SERVICES = ["order", "user"];

const REFUSED = ["Forbidden", "NotAuthenticated"];

const isService = (channel: string) => SERVICES.includes(channel);
const isRecord = (channel: string) => /^(?:order|user):[^:]+$/.test(channel);

function siteOf({ http }: Served): string {
  return new URL(http).origin;
}

/** Emits one event; any answer but a refusal says that it was allowed. */
function emitting(
  name: string,
  action: Way["action"],
  call: (channel: string) => readonly [event: string, ...args: unknown[]],
  on?: Way["on"],
): Way {
  return {
    name: `Socket.IO ${name}`,
    action,
    ...(on && { on }),
    async allowed(served, credential, channel) {
      const auth = credential === undefined ? {} : { token: credential };
      const client = await connect(siteOf(served), { auth });
      const answer = await ask<{ error?: ShownError } & Partial<ShownError>>(client, ...call(channel));
      client.socket.disconnect();
      const { name: error } = answer?.error ?? answer ?? {};
      return error === undefined || !REFUSED.includes(error);
    },
  };
}

/** A call of the REST interface of a service. */
function rest(method: string, action: Way["action"], body: object | null, on: NonNullable<Way["on"]>): Way {
  return {
    name: `Feathers REST ${method} of ${on === isRecord ? "a record" : "a service"}`,
    action,
    on,
    async allowed(served, credential, channel) {
      const answer = await fetch(`${siteOf(served)}/${channel.replace(":", "/")}`, {
        method,
        headers: credential === undefined ? {} : { Authorization: `Bearer ${credential}` },
        ...(body && { body: JSON.stringify(body) }),
      });
      const { name } = (await answer.json()) as { name?: string };
      return name === undefined || !REFUSED.includes(name);
    },
  };
}

const record = (channel: string) => channel.split(":");

export const SOCKETIO_WAYS: readonly Way[] = [
  emitting("subscribe", "subscribe", (channel) => ["subscribe", channel]),
  emitting("publish", "publish", (channel) => ["publish", { channel, data: 1 }]),
  emitting("patch of a state", "patch", (channel) => ["patch", { channel, patch: { n: 1 } }]),
  emitting("create", "publish", (channel) => ["create", channel, {}, {}], isService),
  emitting("find", "history", (channel) => ["find", channel, {}], isService),
  emitting("get", "history", (channel) => ["get", ...record(channel), {}], isRecord),
  emitting("update", "patch", (channel) => ["update", ...record(channel), {}, {}], isRecord),
  emitting("patch", "patch", (channel) => ["patch", ...record(channel), {}, {}], isRecord),
  emitting("remove", "patch", (channel) => ["remove", ...record(channel), {}], isRecord),
  rest("POST", "publish", {}, isService),
  rest("GET", "history", null, isService),
  rest("GET", "history", null, isRecord),
  rest("PUT", "patch", {}, isRecord),
  rest("PATCH", "patch", {}, isRecord),
  rest("DELETE", "patch", null, isRecord),
];
