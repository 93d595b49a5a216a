/**
 * What the command `fanfare` asks of a server that runs in the same folder, and what the server answers: each a line of JSON. Version 1. Knows
 * no socket.
 */
import { FanfareError } from "@fanfare/protocol";
import { z } from "zod";
import { check } from "../../base/check.js";
import { VERSION } from "../../base/package.js";
import { checkedGrants, type Grant } from "../grants/grants.js";
import type { StoredKey } from "../store/keys.js";
import type { SignedToken, TokenRequest } from "../tokens/sign.js";

/** Both sides have to speak the same version. */
export const CONTROL_VERSION = 1;
export const CONTROL_SOCKET = "control.sock";
/** The longest request, in bytes. */
export const MAX_REQUEST_BYTES = 64 * 1024;

/** A key without its hash. */
type ListedKey = Omit<StoredKey, "hash">;

/** What can be asked: of a server, or of the files of a folder that no server uses. */
export interface Control {
  listKeys(): Promise<readonly ListedKey[]>;
  /** @throws FanfareError `invalid_grants`, `invalid_request`, `not_configured`, `unavailable` */
  addKey(wanted: { readonly name: string; readonly grants: readonly Grant[] }): Promise<AddedKey>;
  /** `pending`: it holds, and could not be written down yet. `null` when there is no such key. */
  revokeKey(id: string): Promise<{ readonly pending: boolean } | null>;
  /** @throws FanfareError `not_configured`, `invalid_grants`, `invalid_request` */
  makeToken(request: TokenRequest): Promise<SignedToken>;
}

interface AddedKey {
  /** The key itself: told now, and never again. */
  readonly key: string;
  readonly stored: ListedKey;
}

const grants = z.unknown().transform((value) => checkedGrants(value, null));
const listedKey = z.object({ id: z.string(), name: z.string(), grants, created: z.number() });

/** The server's first line. */
export const greetingSchema = z.object({
  fanfare: z.literal("control"),
  protocol: z.number(),
  version: z.string(),
  pid: z.number(),
});

const protocolSchema = z.looseObject({ protocol: z.number() });
const requestSchema = z.discriminatedUnion("call", [
  z.strictObject({ call: z.literal("listKeys") }),
  z.strictObject({ call: z.literal("addKey"), name: z.string().min(1).max(100), grants: z.unknown() }),
  z.strictObject({ call: z.literal("revokeKey"), id: z.string().min(1).max(100) }),
  z.strictObject({
    call: z.literal("makeToken"),
    user: z.string(),
    grants: z.unknown(),
    expiresInSeconds: z.number().optional(),
    info: z.unknown().optional(),
  }),
]);

export type ControlRequest = z.input<typeof requestSchema>;

/** By the name of the call. */
export const answerSchemas = {
  listKeys: z.array(listedKey),
  addKey: z.object({ key: z.string(), stored: listedKey }),
  revokeKey: z.object({ pending: z.boolean() }).nullable(),
  makeToken: z.object({ token: z.string(), id: z.string(), expires: z.number() }),
};

/** The server's answer. */
export const answerSchema = z.union([
  z.strictObject({ answer: z.unknown() }),
  z.strictObject({
    error: z.strictObject({ code: z.string(), message: z.string(), remedy: z.string() }),
  }),
]);

/**
 * Does what is asked.
 *
 * @param asked JSON that came from outside
 * @throws FanfareError `invalid_request`, and those of the call
 */
export async function answerTo(asked: unknown, control: Control): Promise<unknown> {
  const { protocol, ...rest } = check(protocolSchema, asked, "request");
  if (protocol !== CONTROL_VERSION) {
    throw new FanfareError(
      "invalid_request",
      `the command speaks version ${protocol} of the control protocol, and this server version ${CONTROL_VERSION}`,
      { remedy: `Use the command of the server's version, ${VERSION}.` },
    );
  }
  const request = check(requestSchema, rest, "request");
  switch (request.call) {
    case "listKeys":
      return answerSchemas.listKeys.parse(await control.listKeys());
    case "addKey": {
      const { name } = request;
      return answerSchemas.addKey.parse(
        await control.addKey({ name, grants: checkedGrants(request.grants, null) }),
      );
    }
    case "revokeKey":
      return await control.revokeKey(request.id);
    case "makeToken": {
      const { user, expiresInSeconds, info } = request;
      return await control.makeToken({
        user,
        grants: checkedGrants(request.grants, user),
        ...(expiresInSeconds !== undefined && { expiresInSeconds }),
        ...(info !== undefined && { info }),
      });
    }
  }
}
