/** All services, by their names, and the calls that a client of Feathers makes over a socket. */
import { type ChannelName, FanfareError, quote } from "@fanfare/protocol";
import type { Hub } from "../hub/hub.js";
import { RecordReading } from "./records.js";
import { Service, type ServiceCaller } from "./service.js";
import type { ServiceSettings } from "./service-options.js";

const METHODS = ["find", "get", "create", "update", "patch", "remove"] as const;
export type ServiceMethod = (typeof METHODS)[number];

export function isServiceMethod(name: string): name is ServiceMethod {
  return METHODS.some((method) => method === name);
}

export class Services {
  readonly #services: ReadonlyMap<string, Service>;

  constructor(settings: readonly ServiceSettings[], hub: Hub) {
    const reading = new RecordReading();
    this.#services = new Map(settings.map((each) => [each.name, new Service(each, hub, reading)]));
  }

  get all(): Iterable<Service> {
    return this.#services.values();
  }

  /** The service whose events a channel carries: its own, or those of one record. */
  of(channel: ChannelName): Service | undefined {
    const end = channel.indexOf(":");
    if (end < 0) return this.#services.get(channel);
    return channel.indexOf(":", end + 1) < 0 ? this.#services.get(channel.slice(0, end)) : undefined;
  }

  /** @throws FanfareError `not_found` */
  named(name: unknown): Service {
    const service = typeof name === "string" ? this.#services.get(name) : undefined;
    if (service) return service;
    const shown = quote(typeof name === "string" ? name : String(JSON.stringify(name)));
    throw new FanfareError("not_found", `there is no service ${shown}`, {
      remedy: "Name the service in the option services, or compare its name.",
    });
  }

  /**
   * Runs the method that a client calls: `find(query)`, `get(id, query)`, `create(data, query)`, `update(id, data, query)`, `patch(id, data,
   * query)` or `remove(id, query)`.
   *
   * @throws FanfareError
   */
  async call(
    method: ServiceMethod,
    name: unknown,
    [first, second, third]: readonly unknown[],
    caller: ServiceCaller,
  ): Promise<unknown> {
    const service = this.named(name);
    switch (method) {
      case "find":
        return service.find(first, caller);
      case "get":
        return service.get(first, second, caller);
      case "create":
        return service.create(first, second, caller);
      case "update":
        return service.update(first, second, third, caller);
      case "patch":
        return service.patch(first, second, third, caller);
      case "remove":
        return service.remove(first, second, caller);
    }
  }
}
