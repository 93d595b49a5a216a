/** `{path}/metrics`: figures for Prometheus. */

import { joinMetrics, type ProcessMetrics } from "../../metrics/all-processes.js";
import type { Metrics } from "../../metrics/metrics.js";
import type { HttpContext } from "../exchange/context.js";
import type { Route } from "../exchange/route.js";

const TOPIC = "metrics";

export function metricsRoutes({ hub, nodes, locks, entrance, arriving, allow }: HttpContext): Route[] {
  // Loaded and made at the first scrape: without a scrape nothing is measured, and a server starts sooner.
  let made: Promise<Metrics> | null = null;
  const metrics = () => {
    const { refusals } = entrance;
    made ??= import("../../metrics/metrics.js").then(
      ({ Metrics }) => new Metrics({ hub, locks, arriving, refusals }),
    );
    return made;
  };
  const own = async (): Promise<ProcessMetrics> => ({
    process: String(process.pid),
    text: await (await metrics()).text(),
  });
  const isOneOfSeveral = hub.engine.isOneServer === true;
  if (isOneOfSeveral) nodes.answer(TOPIC, own);
  return [
    {
      method: "GET",
      path: "/metrics",
      id: "metrics",
      summary: "Figures for Prometheus",
      details:
        "Every bound of the server stands as `…_limit` beside its current value. Of a server with several workers the figures are those of all; each has the label `process`.",
      tag: "server",
      needs: "admin",
      answers: { 200: { description: "The text format of Prometheus.", type: "text/plain" } },
      errors: ["unavailable"],
      async handle(c) {
        allow(c, "admin", null);
        const { contentType } = await metrics();
        const text = isOneOfSeveral
          ? joinMetrics((await nodes.ask(TOPIC, null)).answers.map(({ answer }) => answer as ProcessMetrics))
          : (await own()).text;
        return c.body(text, 200, {
          "Content-Type": contentType,
          "Cache-Control": "no-store",
        });
      },
    },
  ];
}
