import { describe, expect, test } from "vitest";
import { ACTIONS, type Action } from "../../packages/server/src/access/grants/actions.js";
import { serve } from "../doors/serving.js";
import { post } from "../library/serve.js";
import { SERVICES } from "./socketio-ways.js";
import { ANONYMOUS, CHANNELS, granted, KEYS, PRINCIPALS, SECRET, WAYS } from "./tables.js";

const options = {
  anonymous: ANONYMOUS,
  apiKeys: KEYS,
  tokens: { secrets: [SECRET] },
  socketio: { services: SERVICES },
  rules: [{ channels: "**", presence: true }],
} as const;
const serving = () => serve(options);

describe.each(PRINCIPALS)("$name", ({ name, grants, credential }) => {
  test.each(WAYS)(
    "by $name may do what the grants say, and nothing else",
    async ({ action, allowed, on = () => true }) => {
      const served = await serving();
      const given = await credential();
      for (const channel of ACTIONS[action].on === "server" ? ["a"] : CHANNELS.filter(on)) {
        const place = ACTIONS[action].on === "server" ? null : channel;
        // Tokens are made for servers only.
        const wanted = granted(grants, action, place) && (action !== "token" || name.includes("key"));
        expect(await allowed(served, given, channel), `${action} on ${channel}`).toBe(wanted);
      }
    },
  );

  test("is told the same by the explanation", async () => {
    const { http } = await serving();
    const token = await credential();
    for (const [action, { on }] of Object.entries(ACTIONS)) {
      for (const channel of on === "server" ? [null] : CHANNELS) {
        const answer = await post(`${http}/access/explain`, { action, token, ...(channel && { channel }) });
        const { allowed, reason, remedy, grant } = (await answer.json()) as Record<string, unknown>;
        const wanted = granted(grants, action as Action, channel);
        expect(allowed, `${action} on ${channel}: ${reason}`).toBe(wanted);
        if (wanted) expect([grant, remedy]).toEqual([expect.any(Object), ""]);
        else expect([grant, remedy]).toEqual([null, expect.stringContaining(action)]);
      }
    }
  });
});

test("the table has every HTTP call that needs something, and every action", async () => {
  const { http } = await serving();
  const { paths } = (await (await fetch(`${http}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { security: unknown[] }>>;
  };
  // It answers everybody, about himself.
  delete paths["/access/explain"];
  const guarded = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { security }]) => security.length > 0)
      .map(([method]) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`),
  );
  const names = WAYS.map(({ name }) => name);
  expect(names.filter((name) => name.includes("/")).sort()).toEqual(guarded.sort());
  expect(new Set(WAYS.map(({ action }) => action))).toEqual(new Set(Object.keys(ACTIONS)));
});
