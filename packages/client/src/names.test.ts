import { describe, expect, test } from "vitest";
import type { ClientOptions } from "./client-options.js";
import type { Client } from "./client-types.js";
import { setUp } from "./testing/a-client.js";
import { settled } from "./testing/scripted-server.js";

const misspelt = (name: string): object => ({ [name]: 1 });

describe("an option that is not known is refused, with those that there are", () => {
  test.each<[object, string, string]>([
    [
      misspelt("getTokn"),
      '"getTokn"',
      "Use url, token, getToken, csrf, queue, WebSocket, sse, fetch, clock, random, page.",
    ],
    [{ queue: { ages: 1 } }, '"ages"', "Use items, ageSeconds."],
  ])("%j of a client", (options, name, remedy) => {
    expect(() => setUp(options as ClientOptions)).toThrow(
      expect.objectContaining({
        code: "invalid_options",
        message: `the option ${name} is not known`,
        remedy,
      }),
    );
  });

  test.each<[string, (client: Client) => unknown, string, string]>([
    [
      "subscribe",
      (client) => client.subscribe("a", () => {}, misspelt("onGapp")),
      '"onGapp"',
      "Use since, snapshot, onGap, onState, onPresence, onSubscribed, onError.",
    ],
    ["messages", (client) => client.messages("a", misspelt("onGap")), '"onGap"', "Use since."],
    ["publish", (client) => client.publish("a", 1, misspelt("evnt")), '"evnt"', "Use event, id."],
    ["patch", (client) => client.patch("a", {}, misspelt("version")), '"version"', "Use ifVersion, id."],
    [
      "lock",
      (client) => client.lock("a", misspelt("lease")),
      '"lease"',
      "Use leaseSeconds, info, waitSeconds.",
    ],
    ["next", (client) => client.next("a", misspelt("coun")), '"coun"', "Use count, id."],
  ])("of %s, and nothing is sent", async (_name, call, name, remedy) => {
    const { client, server } = setUp();
    client.connect();
    server.welcome();
    const sent = server.socket.sent.length;
    await expect((async () => call(client))()).rejects.toMatchObject({
      code: "invalid_options",
      message: `the option ${name} is not known`,
      remedy,
    });
    await settled();
    expect(server.socket.sent).toHaveLength(sent);
  });
});
