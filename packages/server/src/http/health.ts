/** `{path}/health`: may traffic be sent here (ready), and does the process work at all (live)? Open to everybody. */
import { z } from "zod";
import type { HttpContext } from "./context.js";
import type { Route } from "./route.js";

const readinessSchema = z
  .object({ status: z.enum(["ready", "stopping", "deaf", "full"]) })
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
            "The server stops, may miss announcements of other nodes (`deaf`), or has too little room on its disk for messages (`full`).",
          schema: readinessSchema,
        },
      },
      handle(c) {
        const status = stopping() ? "stopping" : hub.deaf ? "deaf" : hub.engine.isFull ? "full" : "ready";
        return c.json({ status }, status === "ready" ? 200 : 503, { "Cache-Control": "no-store" });
      },
    },
    {
      method: "GET",
      path: "/health/live",
      id: "live",
      summary: "Does the process work?",
      details: "Says nothing of other nodes or of the engine: whoever starts a process anew should ask this.",
      tag: "server",
      needs: null,
      answers: { 200: { description: "It does.", schema: livenessSchema } },
      handle: (c) => c.json({ status: "live" }, 200, { "Cache-Control": "no-store" }),
    },
  ];
}
