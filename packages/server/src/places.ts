/**
 * The places where a Fanfare answers: everything of its own is under its path, and a door or a service may have an address of its own
 * beside it.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { FanfareError } from "@fanfare/protocol";
import type { Door, DoorHost } from "./doors/door.js";
import { SocketIoDoor } from "./doors/socketio/door.js";
import type { SocketIoSettings } from "./doors/socketio/options.js";
import { SseDoor } from "./doors/sse/door.js";
import { WebSocketDoor } from "./doors/websocket/door.js";
import { Services } from "./feathers/services.js";
import { createApp } from "./http/app.js";
import { feathersPlaces } from "./http/feathers.js";
import { createListener } from "./http/listener.js";
import { answerNothingHere, type Mounted, mount, nothingServedAt } from "./http/mount.js";
import { isAt, isUnder } from "./http/path.js";
import type { Disconnects } from "./hub/disconnects.js";
import { refuseUpgrade } from "./refuse-upgrade.js";
import { VERSION } from "./version.js";

/** The part of a Fanfare that answers requests. */
export interface Places {
  readonly path: string;
  /**
   * Serves this Fanfare on a Node HTTP server, WebSockets included, under its path; what is for other paths goes to the
   * server's own listeners. May be called for several servers.
   *
   * @throws TypeError when the server has a Fanfare with this path
   * @throws FanfareError `unavailable` when this Fanfare is closed
   */
  attach(server: Server): void;
  /** Answers an HTTP request, for servers that speak web-standard `Request` and `Response`. WebSockets need `attach`. */
  fetch(request: Request): Promise<Response>;
  /** Answers an HTTP request of a Node server or of Express; calls `next` for paths that are not its own. */
  readonly handler: (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;
}

export interface PlacesOptions {
  readonly path: string;
  readonly socketio: SocketIoSettings | undefined;
  readonly host: DoorHost;
  readonly disconnects: Disconnects;
  /** Is the server on its way out? */
  readonly stopping: () => boolean;
}

/** Opens the doors. Clients have been sent away before it is closed. */
export function openPlaces(options: PlacesOptions): Places & { close(): Promise<void> } {
  const { path, socketio, host, disconnects, stopping } = options;
  const { hub, access, entrance, log } = host;
  const webSocket = new WebSocketDoor(host);
  const sse = new SseDoor(host);
  const services = new Services(socketio?.services ?? [], hub);
  const doors: readonly Door[] = [
    webSocket,
    sse,
    ...(socketio ? [new SocketIoDoor(socketio, services, host)] : []),
  ];
  const app = createApp({ path, version: VERSION, hub, disconnects, access, entrance, sse, log, stopping });
  const listener = createListener(app, log);
  const own: Mounted = {
    path,
    request: listener,
    upgrade(request, socket, head) {
      if (isAt(path, request.url)) webSocket.upgrade(request, socket, head);
      else refuseUpgrade(socket, nothingServedAt(request.url));
    },
  };
  const places = [
    own,
    ...doors.flatMap((door) => door.places ?? []),
    ...feathersPlaces(services, { access, entrance, log, maxBytes: hub.limits.stateBytes }),
  ];
  const unmounts: (() => void)[] = [];

  return {
    path,
    attach(server) {
      if (stopping()) throw new FanfareError("unavailable", "this Fanfare is closed");
      for (const place of places) unmounts.push(mount(server, place));
    },
    fetch: async (request) => app.fetch(request),
    handler(request, response, next) {
      if (isUnder(path, request.url)) {
        listener(request, response);
        return;
      }
      // Express takes off what it has matched, as after app.use("/push", fanfare.handler).
      const original = "originalUrl" in request ? String(request.originalUrl) : undefined;
      if (original !== undefined && isUnder(path, original)) {
        request.url = original;
        listener(request, response);
      } else if (next) next();
      else answerNothingHere(response);
    },
    async close() {
      for (const door of doors) await door.close?.();
      for (const unmount of unmounts) unmount();
    },
  };
}
