/** Clients of Feathers as people use them, over Socket.IO and over REST. */
import { createRequire } from "node:module";
import type { Application } from "@feathersjs/feathers";
import type { Socket } from "socket.io-client";
import { connect, type SocketIoClient } from "../doors/socketio-client.js";

/** The package is CommonJS, and its types name none of its own members. */
interface Library {
  (): Application;
  socketio(socket: Socket): (app: Application) => void;
  rest(site: string): { fetch(fetched: typeof fetch, options?: object): (app: Application) => void };
  authentication(options: object): (app: Application) => void;
  readonly errors: Readonly<Record<"NotAuthenticated" | "MethodNotAllowed", new () => Error>>;
}

/** What `authentication` adds to a client. */
interface Authenticating {
  authenticate(data: object): Promise<object>;
  reAuthenticate(): Promise<object>;
  logout(): Promise<object | null>;
}

const feathers: Library = createRequire(import.meta.url)("@feathersjs/client");

export const { errors } = feathers;

export function overSocket({ socket }: SocketIoClient): Application {
  const app = feathers();
  app.configure(feathers.socketio(socket));
  return app;
}

export function overRest(site: string, token?: string, more: object = {}): Application {
  const app = feathers();
  const headers = { ...more, ...(token !== undefined && { Authorization: `Bearer ${token}` }) };
  app.configure(feathers.rest(site).fetch(fetch, { headers }));
  return app;
}

/** A client on a socket of its own. */
export async function onSocket(site: string, options: Parameters<typeof connect>[1] = {}) {
  const client = await connect(site, options);
  return { ...client, app: overSocket(client) };
}

/** A client that can log in. It keeps its token in memory, as there is no `localStorage`. */
export function authenticating(app: Application, options: object = {}): Application & Authenticating {
  app.configure(feathers.authentication(options));
  return app as Application & Authenticating;
}
