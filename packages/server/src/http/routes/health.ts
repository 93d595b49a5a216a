/** `{path}/health`: may traffic be sent here (ready), and does the process work at all (live)? Open to everybody. */
import { z } from "zod";
import type { HttpContext } from "../exchange/context.js";
import type { Route } from "../exchange/route.js";

const readinessSchema = z
  .object({ status: z.enum(["ready", "stopping", "deaf", "full", "gone", "silent"]) })
  .meta({ id: "Readiness" });
const livenessSchema = z.object({ status: z.literal("live") }).meta({ id: "Liveness" });

export function healthRoutes({ hub, stopping }: HttpContext): Route[] {
  return [
    {
      method: "GET",
      path: "/health",
      id: "ready",
      summary: "May clients be sent here?",
      tag: "server",
      needs: null,
      answers: {
        200: { description: "The server is ready.", schema: readinessSchema },
        503: {
          description:
            "The server stops, may miss announcements of other nodes (`deaf`), has too little room for messages on its disk or in its memory (`full`), or its `dataDir`, or the file of keys in it, was removed or replaced (`gone`). Or its engine has not answered in time a moment ago (`silent`).",
          schema: readinessSchema,
        },
      },
      handle(c) {
        const status = stopping()
          ? "stopping"
          : hub.deaf
            ? "deaf"
            : (hub.engine.trouble ?? (hub.memory.full ? "full" : "ready"));
        return c.json({ status }, status === "ready" ? 200 : 503, { "Cache-Control": "no-store" });
      },
    },
    {
      method: "GET",
      path: "/health/live",
      id: "live",
      summary: "Does the process work?",
      details: "Says nothing of other nodes or of the engine: for the supervisor that restarts the process.",
      tag: "server",
      needs: null,
      answers: { 200: { description: "It does.", schema: livenessSchema } },
      handle: (c) => c.json({ status: "live" }, 200, { "Cache-Control": "no-store" }),
    },
  ];
}
