/** `{path}/tickets`: tickets for streams, for pages that cannot send headers with them. */
import { z } from "zod";
import { check } from "../../base/check.js";
import { MAX_CURSOR_CHANNELS } from "../../doors/sse/cursor.js";
import { readJson } from "../exchange/body.js";
import type { HttpContext } from "../exchange/context.js";
import { credentialsOf } from "../exchange/identify.js";
import type { Route } from "../exchange/route.js";
import * as part from "../exchange/schemas.js";
import { distinct } from "./sse.js";

const MAX_BYTES = 64 * 1024;

const wantedSchema = z
  .strictObject({
    channels: z.array(part.audibleName).min(1).max(MAX_CURSOR_CHANNELS).meta({ uniqueItems: true }),
  })
  .meta({ id: "NewTicket" });

const ticketSchema = z
  .object({
    ticket: z.string().meta({ description: "For GET /sse?ticket=…; may be used again and again." }),
    expires: part.milliseconds
      .optional()
      .meta({ description: "When the token that it was asked with expires." }),
  })
  .meta({ id: "Ticket" });

export function ticketRoutes({ access, entrance, tickets, allow }: HttpContext): Route[] {
  return [
    {
      method: "POST",
      path: "/tickets",
      id: "makeTicket",
      summary: "Take a ticket for a stream",
      details:
        "For an `EventSource`, which sends no headers. It stands for the caller and these channels, on every node, as long as the caller's key, token or session lives.",
      tag: "streams",
      needs: "subscribe",
      body: wantedSchema,
      answers: { 201: { description: "The ticket.", schema: ticketSchema } },
      errors: [
        "invalid_channel",
        "invalid_json",
        "invalid_request",
        "too_large",
        "unsupported_media_type",
        "unavailable",
      ],
      async handle(c) {
        const wanted = check(wantedSchema, await readJson(c, MAX_BYTES), "body");
        const channels = distinct(wanted.channels);
        for (const channel of channels) allow(c, "subscribe", channel);
        const { principal } = c.get("requestCaller");
        const { token, csrf, from, request } = credentialsOf(c, entrance);
        // The request is kept only where somebody looks at it.
        const credentials = { token, csrf, ...(access.asking.possible && request && { request }) };
        const ticket = await tickets.issue({ principal, credentials, channels }, from ?? "");
        const expires = principal.kind === "user" ? principal.expires : null;
        return c.json({ ticket, ...(expires !== null && { expires }) }, 201, { "Cache-Control": "no-store" });
      },
    },
  ];
}
