import type { Application } from "@feathersjs/feathers";
import { describe, expect, test } from "vitest";
import { MemoryEngine } from "../../packages/server/src/engine/memory/memory-engine.js";
import type { ServiceOptions } from "../../packages/server/src/feathers/service-options.js";
import { serve } from "../doors/serving.js";
import { runAdapterTests } from "./adapter-suite.js";
import { onSocket, overRest } from "./feathers-client.js";

/** As the tests write options: those of `@feathersjs/memory`. */
interface AdapterOptions {
  multi: boolean | readonly string[];
  paginate: false | { default?: number; max?: number };
}

type Connect = (site: string) => Promise<Application>;
type Call = (...args: unknown[]) => Promise<unknown>;

const OVER: Readonly<Record<string, Connect>> = {
  "Socket.IO": async (site) => (await onSocket(site)).app,
  REST: async (site) => overRest(site),
};

/** Tests whose calls carry what a client of Feathers never sends: `params.paginate` and `params.adapter` are for a server's own code. */
const FOR_SERVERS = [
  ".find + paginate + params",
  ".patch multiple no pagination",
  ".remove + multi no pagination",
  "params.adapter + multi",
  "params.adapter + paginate",
];

/** Its last parameter is `params`, of which a client sends the query only. */
const PARAMS_AT = { find: 0, get: 1, create: 1, update: 2, patch: 2, remove: 1 };

/**
 * A client as the tests want it. They set options of the service while they run. So there is a server for each set of options, all on
 * one engine, and each call goes to the one whose options hold.
 *
 * @param params what of `params` counts as options, too, beside what a client sends
 */
function clientOf(connect: Connect, params: "sent" | "all") {
  const engine = new MemoryEngine();
  const clients = new Map<string, Promise<Application>>();
  const options: AdapterOptions = { multi: false, paginate: false };

  const client = (wanted: AdapterOptions): Promise<Application> => {
    const key = JSON.stringify(wanted);
    const known = clients.get(key);
    if (known) return known;
    const services = [{ name: "people", ...wanted } as ServiceOptions];
    const made = serve({ access: "open", engine, socketio: { services } }).then(({ port }) =>
      connect(`http://localhost:${port}`),
    );
    clients.set(key, made);
    return made;
  };
  const call = async (name: string, args: unknown[]): Promise<unknown> => {
    const method = name.replace(/^_/, "") as keyof typeof PARAMS_AT;
    const given = args[PARAMS_AT[method]] as { paginate?: object; adapter?: object } | undefined;
    const { paginate, adapter } = given ?? {};
    const wanted =
      params === "all" ? { ...options, ...(paginate !== undefined && { paginate }), ...adapter } : options;
    const service = (await client(wanted as AdapterOptions)).service("people");
    return (Reflect.get(service, name) as Call).apply(service, args);
  };
  const methods = Object.keys(PARAMS_AT).flatMap((method) => [method, `_${method}`]);
  const service = {
    id: "id",
    events: ["testing"],
    options,
    ...Object.fromEntries(methods.map((name) => [name, (...args: unknown[]) => call(name, args)])),
  };
  return { service: () => service };
}

describe.each(Object.entries(OVER))("@feathersjs/adapter-tests over %s", (_name, connect) => {
  test("pass, all but those that are about a server's own calls", async () => {
    const { total, failed } = await runAdapterTests(clientOf(connect, "sent"), "people");
    expect(Object.keys(failed).sort(), JSON.stringify(failed, null, 2)).toEqual(FOR_SERVERS);
    expect(total).toBe(79);
  });

  test("pass all where the service is set to what those calls say", async () => {
    const { total, failed } = await runAdapterTests(clientOf(connect, "all"), "people");
    expect(failed).toEqual({});
    expect(total).toBe(79);
  });
});
