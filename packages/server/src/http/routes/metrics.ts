/** `{path}/metrics`: figures for Prometheus. */

import type { Metrics } from "../../metrics/metrics.js";
import type { HttpContext } from "../exchange/context.js";
import type { Route } from "../exchange/route.js";

export function metricsRoutes({ hub, locks, entrance, bodies, allow }: HttpContext): Route[] {
  // Loaded and made at the first scrape: without a scrape nothing is measured, and a server starts sooner.
  let made: Promise<Metrics> | null = null;
  return [
    {
      method: "GET",
      path: "/metrics",
      id: "metrics",
      summary: "Figures for Prometheus",
      details: "Every bound of the server stands as `…_limit` beside its current value.",
      tag: "server",
      needs: "admin",
      answers: { 200: { description: "The text format of Prometheus.", type: "text/plain" } },
      errors: ["unavailable"],
      async handle(c) {
        allow(c, "admin", null);
        const { refusals } = entrance;
        made ??= import("../../metrics/metrics.js").then(
          ({ Metrics }) => new Metrics({ hub, locks, bodies, refusals }),
        );
        const metrics = await made;
        return c.body(await metrics.text(), 200, {
          "Content-Type": metrics.contentType,
          "Cache-Control": "no-store",
        });
      },
    },
  ];
}
