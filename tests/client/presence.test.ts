/** Who is there, over real sockets: each client finds itself in the list. */
import { expect, onTestFinished, test } from "vitest";
import type { Client, ClientOptions, PresenceChange } from "../../packages/client/src/index.js";
import { TcpProxy } from "./proxy.js";
import { clientOf, inState, Recorder, serve } from "./world.js";

const SECRET = "the-secret-of-a-test-0123456789abcdef";

async function setUp() {
  const running = await serve({
    rules: [{ channels: "room", presence: true }],
    tokens: { secrets: [SECRET] },
  });
  onTestFinished(() => running.close());
  const proxy = await TcpProxy.to(running.port);
  onTestFinished(() => proxy.close());
  const client = (options: ClientOptions = {}) => {
    const url = running.url.replace(String(running.port), String(proxy.port));
    const made = clientOf(url, { random: () => 0, ...options });
    onTestFinished(() => made.close());
    return made;
  };
  return { ...running, proxy, client };
}

/** The lists that it is given. */
function watch(client: Client): Recorder<PresenceChange> {
  const told = new Recorder<PresenceChange>();
  client.subscribe("room", () => {}, { onPresence: told.add });
  return told;
}

test("a client without a user finds itself in the list, also after its session was resumed", async () => {
  const { client, proxy } = await setUp();
  const one = client();
  const told = watch(one);
  const [first] = await told.atLeast(1);
  expect(first?.members).toEqual([{ id: one.memberId, since: expect.any(Number) }]);

  const before = one.memberId;
  proxy.cut();
  await inState(one, "reconnecting");
  expect(await inState(one, "connected")).toMatchObject({ resumed: true });
  const two = client();
  const [list] = await watch(two).atLeast(1);
  expect(list?.members?.map(({ id }) => id)).toEqual([one.memberId, two.memberId]);
  expect(one.memberId).toBe(before);
});

test("a user is the same member with each client", async () => {
  const { client, fanfare } = await setUp();
  const info = { name: "Alice" };
  const grants = [{ channels: "room", actions: ["subscribe", "presence"] as const }];
  const { token } = await fanfare.token({ user: "alice", info, grants });
  for (const alice of [client({ token }), client({ token })]) {
    const [list] = await watch(alice).atLeast(1);
    expect(list?.members).toEqual([{ id: alice.memberId, user: "alice", info, since: expect.any(Number) }]);
  }
});
