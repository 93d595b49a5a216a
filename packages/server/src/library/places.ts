/**
 * The places where a Fanfare answers: everything of its own is under its path, and a door or a service may have an address of its own
 * beside it.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { FanfareError } from "@fanfare/protocol";
import type { Failures } from "../base/failures.js";
import { inTime } from "../base/in-time.js";
import { VERSION } from "../base/package.js";
import { isAt, isUnder } from "../base/path.js";
import type { Door, DoorHost } from "../doors/door.js";
import { SocketIoDoor } from "../doors/socketio/door.js";
import type { SocketIoSettings } from "../doors/socketio/options.js";
import { SseDoor } from "../doors/sse/door.js";
import { WebSocketDoor } from "../doors/websocket/door.js";
import { Services } from "../feathers/services.js";
import { createApp } from "../http/app.js";
import { WebExchange } from "../http/exchange/exchange.js";
import { checkExchange, checkRequest, checkServer } from "../http/exchange/given.js";
import { createListener, failed } from "../http/exchange/listener.js";
import { feathersPlaces } from "../http/routes/feathers.js";
import { authenticationPlace } from "../http/routes/feathers-authentication.js";
import type { AllConnections } from "../hub/all-connections.js";
import type { Nodes } from "../hub/nodes.js";
import { answerNothingHere, type Mounted, mount, nothingServedAt, serve } from "../wire/mount.js";
import { refuseUpgrade } from "../wire/refuse-upgrade.js";
import { SlowAnswers } from "../wire/slow-answers.js";
import { pathOf } from "../wire/target.js";
import { Traffic } from "../wire/traffic.js";

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
  readonly nodes: Nodes;
  readonly allConnections: AllConnections;
  /** Is the server on its way out? */
  readonly stopping: () => boolean;
}

/** The same place, which lets no exception out into the server that calls it. */
function guardedPlace({ path, request, upgrade }: Mounted, failures: Failures): Mounted {
  return {
    path,
    request(incoming, response) {
      try {
        request(incoming, response);
      } catch (error) {
        failures.caught({ caller: "http", error }, () => response.destroy());
      }
    },
    upgrade(incoming, socket, head) {
      try {
        upgrade(incoming, socket, head);
      } catch (error) {
        const internal = new FanfareError("internal", "the server failed");
        failures.caught(
          { caller: "http", error },
          () => refuseUpgrade(socket, internal),
          () => socket.destroy(),
        );
      }
    },
  };
}

export interface ClosePlaces {
  /** Waits for answers that are under way, for this time at most; then nothing of it is open on any server. */
  close(withinMs: number): Promise<void>;
}

/** Opens the doors. Clients have been sent away before it is closed. */
export function openPlaces(options: PlacesOptions): Places & ClosePlaces {
  const { path, socketio, host, nodes, allConnections, stopping } = options;
  const { hub, locks, sequences, access, entrance, arriving, bodies, log, failures } = host;
  const webSocket = new WebSocketDoor(host);
  const sse = new SseDoor(host);
  const services = new Services(socketio?.services ?? [], hub);
  const doors: readonly Door[] = [
    webSocket,
    sse,
    ...(socketio ? [new SocketIoDoor(socketio, services, host)] : []),
  ];
  const app = createApp({
    path,
    version: VERSION,
    hub,
    locks,
    sequences,
    nodes,
    allConnections,
    access,
    entrance,
    sse,
    arriving,
    log,
    stopping,
  });
  const slow = new SlowAnswers(hub.waiting, log);
  const traffic = new Traffic(hub.clock);
  const watched = ({ path, request, upgrade }: Mounted): Mounted =>
    guardedPlace(traffic.watching({ path, request: slow.watching(request), upgrade }), failures);
  const own = watched({
    path,
    request: createListener(app, bodies, log, failures),
    upgrade(request, socket, head) {
      if (isAt(path, request.url)) webSocket.upgrade(request, socket, head);
      else refuseUpgrade(socket, nothingServedAt(request.url));
    },
  });
  const feathers = { access, entrance, bodies, log, failures, maxBytes: hub.limits.stateBytes };
  const others = [
    ...doors.flatMap((door) => door.places ?? []),
    ...feathersPlaces(services, feathers),
    ...(socketio?.authentication ? [authenticationPlace(socketio.authentication, feathers)] : []),
  ];
  const places = [own, ...others.map(watched)];
  const unmounts: (() => void)[] = [];

  return {
    path,
    attach(server) {
      checkServer(server);
      if (stopping()) throw new FanfareError("unavailable", "this Fanfare is closed");
      const mounted: (() => void)[] = [];
      try {
        for (const place of places) mounted.push(mount(server, place));
      } catch (error) {
        // All of them, or none.
        for (const unmount of mounted) unmount();
        throw error;
      }
      unmounts.push(...mounted);
    },
    async fetch(request) {
      checkRequest(request);
      try {
        return await app.fetch(request, new WebExchange(request, bodies));
      } catch (error) {
        return failed(log, error);
      }
    },
    handler(request, response, next) {
      checkExchange(request, response);
      if (isUnder(path, pathOf(request.url))) {
        serve(own, request, response);
        return;
      }
      // Express takes off what it has matched, as after app.use("/push", fanfare.handler).
      const original = "originalUrl" in request ? String(request.originalUrl) : undefined;
      if (original !== undefined && isUnder(path, pathOf(original))) {
        request.url = original;
        serve(own, request, response);
      } else if (next) next();
      else answerNothingHere(response);
    },
    async close(withinMs) {
      const end = hub.clock.monotonic() + withinMs;
      try {
        for (const door of doors)
          if (door.close) await inTime(hub.clock, withinMs, Promise.resolve(door.close()));
      } finally {
        const cutOff = await traffic.close(Math.max(0, end - hub.clock.monotonic()));
        if (cutOff > 0)
          log.warn({ connections: cutOff }, "requests and sockets that did not end in time are cut off");
        for (const unmount of unmounts) unmount();
      }
    },
  };
}
