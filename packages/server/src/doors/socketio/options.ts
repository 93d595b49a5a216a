/** The options of the Socket.IO door. */

import { checkKinds, checkOptions, membersOf } from "../../base/known-names.js";
import { checkPath, overlap, type ReservedPaths } from "../../base/path.js";
import {
  type ServiceOptions,
  type ServiceSettings,
  serviceSettings,
} from "../../feathers/service-options.js";

const DEFAULT_SOCKETIO_PATH = "/socket.io";
export const DEFAULT_AUTHENTICATION_PATH = "/authentication";

export interface SocketIoOptions {
  /** Where Socket.IO is served: an address of the HTTP server, not one under `path`. @default "/socket.io" */
  readonly path?: string;
  /** Feathers services, by their names or with options. @default none */
  readonly services?: readonly (string | ServiceOptions)[];
  /**
   * Where clients of Feathers log in over REST; `""` is nowhere. Over Socket.IO it is the service `authentication`.
   *
   * @default "/authentication", where there are services
   */
  readonly authentication?: string;
}

const OPTIONS = membersOf<SocketIoOptions>({ path: true, services: true, authentication: true });

export interface SocketIoSettings {
  readonly path: string;
  readonly services: readonly ServiceSettings[];
  /** `null`: nowhere. */
  readonly authentication: string | null;
}

/**
 * @param ownPath where everything else of the server lives
 * @throws TypeError, FanfareError `reserved_path`
 */
export function socketIoSettings(
  options: SocketIoOptions,
  ownPath: string,
  reserved: ReservedPaths = [],
): SocketIoSettings {
  checkOptions("socketio", options, OPTIONS);
  checkKinds("socketio.", options, { services: "a list", authentication: "a text" });
  const path = checkPath(options.path ?? DEFAULT_SOCKETIO_PATH, reserved, "socketio.path");
  if (path === ownPath)
    throw new TypeError(`socketio: its path is ${path}, as that of everything else. Choose another.`);
  const { services = [], authentication = DEFAULT_AUTHENTICATION_PATH } = options;
  const taken = [ownPath, path];
  if (services.length === 0 || authentication === "") {
    return { path, services: serviceSettings(services, taken, reserved), authentication: null };
  }
  const logIn = checkPath(authentication, reserved, "socketio.authentication");
  if (taken.some((other) => overlap(other, logIn))) {
    throw new TypeError(`socketio: the path ${logIn} of authentication is taken. Give it another path.`);
  }
  return { path, services: serviceSettings(services, [...taken, logIn], reserved), authentication: logIn };
}
