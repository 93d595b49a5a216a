/** `{path}/keys`: API keys, made and revoked while the server runs. */
import { FanfareError, quote } from "@fanfare/protocol";
import { z } from "zod";
import { ALL_GRANTS, checkedGrants } from "../../access/grants/grants.js";
import type { StoredKey } from "../../access/store/keys.js";
import { check } from "../../base/check.js";
import { readJson } from "../exchange/body.js";
import type { HttpContext } from "../exchange/context.js";
import type { Route } from "../exchange/route.js";
import * as part from "../exchange/schemas.js";
import { answerRevoked, revokedAnswers } from "./revoked.js";

const MAX_BYTES = 64 * 1024;
const NO_STORE = { "Cache-Control": "no-store" } as const;

const keyId = z.string().min(1).max(100).meta({ description: "Names the key; no secret." });
const addressSchema = z.object({ id: keyId });

const wantedSchema = z
  .strictObject({
    name: z.string().min(1).max(100).meta({ description: "Its name in lists and logs." }),
    grants: part.keyGrants.optional().meta({ description: "Its grants; it may do everything unless given." }),
  })
  .meta({ id: "NewKey" });

const keySchema = z
  .object({ id: keyId, name: z.string(), grants: part.grants, created: part.milliseconds })
  .meta({ id: "ApiKey" });

const madeSchema = keySchema
  .extend({ key: z.string().meta({ description: "The key itself: told now, and never again." }) })
  .meta({ id: "MadeApiKey" });

const keysSchema = z.object({ keys: z.array(keySchema) }).meta({ id: "ApiKeys" });

export function keyRoutes({ access, allow, log }: HttpContext): Route[] {
  return [
    {
      method: "GET",
      path: "/keys",
      id: "keys",
      summary: "List the API keys",
      details: "Those that were made while running; those of the configuration are not listed.",
      tag: "access",
      needs: "admin",
      answers: { 200: { description: "The keys, without their secrets.", schema: keysSchema } },
      async handle(c) {
        allow(c, "admin", null);
        const keys = await access.listKeys();
        allow(c, "admin", null);
        return c.json({ keys: keys.map(shown) }, 200, NO_STORE);
      },
    },
    {
      method: "POST",
      path: "/keys",
      id: "addKey",
      summary: "Make an API key",
      details: "It works at once. Needs dataDir: keys have to outlive the process.",
      tag: "access",
      needs: "admin",
      body: wantedSchema,
      answers: { 201: { description: "The key.", schema: madeSchema } },
      errors: [
        "invalid_grants",
        "invalid_json",
        "invalid_request",
        "too_large",
        "unsupported_media_type",
        "not_configured",
        "unavailable",
      ],
      async handle(c) {
        allow(c, "admin", null);
        const { name, grants = ALL_GRANTS.list } = check(wantedSchema, await readJson(c, MAX_BYTES), "body");
        const { key, stored } = await access.addKey(
          { name, grants: checkedGrants(grants, null) },
          c.get("requestCaller"),
        );
        log.info({ key: stored.id, name: quote(name) }, "an API key was made");
        return c.json({ ...shown(stored), key }, 201, NO_STORE);
      },
    },
    {
      method: "DELETE",
      path: "/keys/:id",
      id: "revokeKey",
      summary: "Revoke an API key",
      details: "It is not accepted any more, and its connections are closed with 4401 within a second.",
      tag: "access",
      needs: "admin",
      parameters: [{ in: "path", schema: addressSchema }],
      answers: revokedAnswers("The key is revoked."),
      errors: ["not_found"],
      async handle(c) {
        allow(c, "admin", null);
        const id = c.req.param("id") ?? "";
        const revoked = await access.revokeKey(id);
        if (!revoked) {
          throw new FanfareError("not_found", `there is no API key ${quote(id)}`, {
            remedy: "Compare the id with the list of keys; those of the configuration are revoked there.",
          });
        }
        log.info({ key: id }, "an API key was revoked");
        return answerRevoked(c, revoked);
      },
    },
  ];
}

function shown({ id, name, grants, created }: StoredKey) {
  return { id, name, grants, created };
}
