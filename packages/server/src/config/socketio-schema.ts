/** The options of the Socket.IO door. */
import { z } from "zod";
import { described } from "../base/option.js";
import { checkPath } from "../base/path.js";
import { DEFAULT_AUTHENTICATION_PATH } from "../doors/socketio/options.js";
import {
  DEFAULT_PAGE,
  DEFAULT_RECORDS,
  JOINS,
  MANY,
  MAX_PAGE,
  MAX_RECORDS,
  serviceSettings,
} from "../feathers/service-options.js";
import { explain } from "./explain.js";

const pageSize = z.int().min(1).max(MAX_PAGE);

const service = z.strictObject({
  name: described(z.string(), {
    text: "The channel that carries all events of the service; a record is the channel `name:id`.",
    allowed: "one segment of a channel name, such as orders",
  }),
  path: described(z.string().exactOptional(), {
    text: "Where its REST interface is; empty is nowhere. Default: `/` and the name.",
    allowed: "a path such as /orders",
  }),
  records: described(z.int().min(0).max(MAX_RECORDS).exactOptional(), {
    text: `How many records are kept; the oldest goes when there is one more. Their ids have to fit into one state (\`limits.stateBytes\`). 0: events only. Default ${DEFAULT_RECORDS}.`,
    allowed: `a whole number from 0 to ${MAX_RECORDS}`,
  }),
  join: described(z.enum(JOINS).exactOptional(), {
    text: "`all`: every client hears all events, unless it names the records that it wants. `named`: a client hears only what it names. Default `all`.",
    allowed: JOINS.join(" or "),
  }),
  multi: described(z.union([z.boolean(), z.array(z.enum(MANY))]).exactOptional(), {
    text: "Lets clients create, patch or remove many records with one call. Default false.",
    allowed: `true, false, or a list of ${MANY.join(", ")}`,
  }),
  paginate: described(
    z
      .union([
        z.literal(false),
        z.strictObject({ default: pageSize.exactOptional(), max: pageSize.exactOptional() }),
      ])
      .exactOptional(),
    {
      text: `Records of a page of \`find\`: \`default\` where no \`$limit\` is given, ${DEFAULT_PAGE}, and \`max\`, ${MAX_PAGE}. false: \`find\` answers with a list.`,
      allowed: "false, or an object with default and max",
    },
  ),
});

const item = described(z.union([z.string(), service]), {
  text: "A service.",
  allowed:
    "a name such as orders, or an object with name and, if wanted, path, records, join, multi and paginate",
});

export const socketIoOptions = {
  socketio: z
    .strictObject({
      path: described(
        z
          .string()
          .superRefine((path, context) => explain(context, () => path === "" || checkPath(path)))
          .default(""),
        {
          text: "Where Socket.IO is served: an address of its own, usually `/socket.io`. Empty: the door for Socket.IO and Feathers is closed.",
          allowed: "a path such as /socket.io: segments of letters, digits and -._~",
        },
      ),
      authentication: described(
        z
          .string()
          .superRefine((path, context) => explain(context, () => path === "" || checkPath(path)))
          .default(DEFAULT_AUTHENTICATION_PATH),
        {
          text: "Where clients of Feathers log in over REST. Empty: nowhere. Without services it is nowhere, too. Over Socket.IO it is the service `authentication`.",
          allowed: "a path such as /authentication",
        },
      ),
      services: described(
        z
          .array(item)
          .superRefine((services, context) => explain(context, () => serviceSettings(services)))
          .default([]),
        {
          text: "Services for clients of Feathers, by Socket.IO and by REST. A name alone is a service with all defaults.",
          allowed: "a list of names and services",
          fromText: (text) =>
            /^\s*\[/.test(text) ? (JSON.parse(text) as unknown) : text.split(",").map((name) => name.trim()),
          asText: "names separated by commas, or the list as JSON",
        },
      ),
    })
    .prefault({}),
};
