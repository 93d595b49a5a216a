/** A page of an app: its connections, the warnings in its console, and the props of the widgets on it. */
import type { ClientOptions } from "@fanfare/client";
import { onTestFinished, vi } from "vitest";
import type { FanfareContainerProps } from "../../typings/FanfareProps.js";
import { Connections } from "../connection/connections.js";
import { FakeClient } from "./fake-client.js";
import { available, object } from "./mendix.js";

export interface Page {
  readonly connections: Connections;
  /** Those that were made, in order. */
  readonly clients: FakeClient[];
  /** What each was made with. */
  readonly options: ClientOptions[];
  /** What stands in the console. */
  readonly warnings: string[];
  /** The first client. */
  readonly client: FakeClient;
}

export function openPage(): Page {
  const clients: FakeClient[] = [];
  const options: ClientOptions[] = [];
  const warnings: string[] = [];
  const spy = vi.spyOn(console, "warn").mockImplementation((text: string) => void warnings.push(text));
  onTestFinished(() => spy.mockRestore());
  const connections = new Connections({
    csrf: () => "the-csrf-token",
    createClient(given) {
      options.push(given);
      const client = new FakeClient();
      clients.push(client);
      return client;
    },
    after(ms, call) {
      const timer = setTimeout(call, ms);
      return () => clearTimeout(timer);
    },
  });
  return {
    connections,
    clients,
    options,
    warnings,
    get client() {
      const [first] = clients;
      if (!first) throw new Error("No client was made.");
      return first;
    },
  };
}

/** The props of a widget on the object with the id 1, where nothing else is configured. */
export function fanfareProps(over: Partial<FanfareContainerProps> = {}): FanfareContainerProps {
  return {
    name: "fanfare1",
    class: "",
    channelBy: "object",
    messageObject: available(object("1")),
    objectPrefix: "object:",
    login: "session",
    attributes: [],
    handlers: [],
    showIndicator: false,
    ...over,
  };
}
