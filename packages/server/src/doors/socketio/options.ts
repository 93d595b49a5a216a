/** The options of the Socket.IO door. */

import { z } from "zod";
import { described, type Given } from "../../base/option.js";
import { explain } from "../../base/option-checks.js";
import { checkPath, overlap, type ReservedPaths } from "../../base/path.js";
import { SERVICES, type ServiceSettings, serviceSettings } from "../../feathers/service-options.js";

const DEFAULT_SOCKETIO_PATH = "/socket.io";
const ALLOWED_PATH = "a path such as /socket.io: segments of letters, digits and -._~";

/** The comments are what editors show: `config/options.test.ts` holds them to the texts and defaults. */
const options = {
  /** Where Socket.IO is served: an address of its own, usually `/socket.io`. Empty in a file: the door for Socket.IO and Feathers is closed. Empty in code: `/socket.io`. @default "" */
  path: described(pathOption("socketio.path").default(""), {
    text: "Where Socket.IO is served: an address of its own, usually `/socket.io`. Empty in a file: the door for Socket.IO and Feathers is closed. Empty in code: `/socket.io`.",
    allowed: ALLOWED_PATH,
  }),
  /** Where clients of Feathers log in over REST. Empty: nowhere. Without services it is nowhere, too. Over Socket.IO it is the service `authentication`. @default "/authentication" */
  authentication: described(pathOption("socketio.authentication").default("/authentication"), {
    text: "Where clients of Feathers log in over REST. Empty: nowhere. Without services it is nowhere, too. Over Socket.IO it is the service `authentication`.",
    allowed: ALLOWED_PATH,
  }),
  /** Services for clients of Feathers, by Socket.IO and by REST. A name alone is a service with all defaults. @default none */
  services: described(SERVICES.default([]), {
    text: "Services for clients of Feathers, by Socket.IO and by REST. A name alone is a service with all defaults.",
    allowed: "a list of names and services",
    fromText: (text) =>
      /^\s*\[/.test(text) ? (JSON.parse(text) as unknown) : text.split(",").map((name) => name.trim()),
    asText: "names separated by commas, or the list as JSON",
  }),
};

export const SOCKET_IO = z.strictObject(options);

export type SocketIoOptions = Given<typeof options>;

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
  options: z.output<typeof SOCKET_IO>,
  ownPath: string,
  reserved: ReservedPaths = [],
): SocketIoSettings {
  const path = checkPath(options.path || DEFAULT_SOCKETIO_PATH, reserved, "socketio.path");
  if (path === ownPath)
    throw new TypeError(`socketio: its path is ${path}, as that of everything else. Choose another.`);
  const { services, authentication } = options;
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

/** A path; empty is none. */
function pathOption(name: string) {
  return z
    .string()
    .superRefine((path, context) => explain(context, () => path === "" || checkPath(path, [], name)));
}
