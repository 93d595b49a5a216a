/** What the Socket.IO door is made from. */
import {
  type ServiceOptions,
  type ServiceSettings,
  serviceSettings,
} from "../../feathers/service-options.js";
import { checkPath, type ReservedPaths } from "../../http/path.js";
import { checkKinds, checkOptions, membersOf } from "../../known-names.js";

export const DEFAULT_SOCKETIO_PATH = "/socket.io";

export interface SocketIoOptions {
  /** Where Socket.IO is served: an address of the HTTP server, not one under `path`. @default "/socket.io" */
  readonly path?: string;
  /** Feathers services, by their names or with options. @default none */
  readonly services?: readonly (string | ServiceOptions)[];
}

const OPTIONS = membersOf<SocketIoOptions>({ path: true, services: true });

export interface SocketIoSettings {
  readonly path: string;
  readonly services: readonly ServiceSettings[];
}

/**
 * @param ownPath where everything else of the server lives
 * @throws TypeError, ReservedPathError
 */
export function socketIoSettings(
  options: SocketIoOptions,
  ownPath: string,
  reserved: ReservedPaths = [],
): SocketIoSettings {
  checkOptions("socketio", options, OPTIONS);
  checkKinds("socketio.", options, { services: "a list" });
  const path = checkPath(options.path ?? DEFAULT_SOCKETIO_PATH, reserved, "socketio.path");
  if (path === ownPath)
    throw new TypeError(`socketio: its path is ${path}, as that of everything else. Choose another.`);
  return { path, services: serviceSettings(options.services ?? [], [ownPath, path], reserved) };
}
