import { expect, test, vi } from "vitest";
import { StreamSocket } from "./stream-socket.js";
import { live } from "./testing/a-client.js";
import { FakeClock } from "./testing/fake-clock.js";
import { ScriptedServer } from "./testing/scripted-server.js";
import { Ways } from "./ways.js";

function setUp() {
  const clock = new FakeClock();
  const server = new ScriptedServer();
  let switched = 0;
  const ways = new Ways({
    url: () => "ws://push.example.com/push",
    Socket: () => server.WebSocket,
    fetch: () => new Promise(() => {}),
    clock,
    csrf: () => undefined,
    switchBack: () => switched++,
  });
  /** The way goes by Server-Sent Events, and the connection stands. */
  const blocked = () => {
    ways.open();
    ways.failed();
    ways.open();
    ways.failed();
    const stream = ways.open();
    ways.connected();
    return stream as StreamSocket;
  };
  return { clock, server, ways, blocked, switched: () => switched };
}

test("two WebSockets that come to nothing lead to a stream", () => {
  const { ways, blocked, server } = setUp();
  expect(ways.transport).toBe("websocket");
  expect(blocked()).toBeInstanceOf(StreamSocket);
  expect([ways.transport, server.sockets.length]).toEqual(["sse", 2]);
});

test("a WebSocket that stands lets the count begin anew", () => {
  const { ways } = setUp();
  for (let round = 0; round < 5; round++) {
    ways.open();
    ways.failed();
    ways.open();
    ways.connected();
  }
  expect(ways.transport).toBe("websocket");
});

test("a server that is away is tried both ways in turns", () => {
  const { ways } = setUp();
  const tried: string[] = [];
  for (let round = 0; round < 6; round++) {
    tried.push(ways.transport);
    ways.open();
    ways.failed();
  }
  expect(tried).toEqual(["websocket", "websocket", "sse", "websocket", "sse", "websocket"]);
});

test("a stream that is lost is followed by another, without WebSockets between", () => {
  const { ways, blocked, server } = setUp();
  blocked();
  ways.ended();
  expect(ways.open()).toBeInstanceOf(StreamSocket);
  expect(server.sockets).toHaveLength(2);
});

test("a WebSocket is tried soon, then ever more seldom, and at once when the network is another", () => {
  const { clock, server, ways, blocked } = setUp();
  blocked();
  const probes = () => server.sockets.length - 2;
  clock.advance(1000);
  expect(probes()).toBe(1);
  for (const [seconds, count] of [
    [60, 2],
    [120, 3],
    [240, 4],
    [480, 5],
    [600, 6],
    [600, 7],
  ] as const) {
    server.socket.lose();
    clock.advance(seconds * 1000 - 1);
    expect(probes()).toBe(count - 1);
    clock.advance(1);
    expect(probes()).toBe(count);
  }
  server.socket.lose();
  ways.networkChanged();
  expect(probes()).toBe(8);
  ways.ended();
  expect([server.socket.closedWith, clock.pending]).toEqual([null, 0]);
  // What the last try says after the end begins no other.
  server.socket.lose();
  expect(clock.pending).toBe(0);
});

test("a WebSocket that says nothing is given up, and one that fails without an end, too", () => {
  const { clock, server, blocked } = setUp();
  blocked();
  clock.advance(1000);
  expect(server.sockets).toHaveLength(3);
  clock.advance(10_000);
  expect(server.socket.closedWith).toBeNull();
  clock.advance(60_000);
  expect(server.sockets).toHaveLength(4);
  server.socket.onerror?.({} as never);
  clock.advance(120_000);
  expect(server.sockets).toHaveLength(5);
});

test("only another network is told of, not that the page is seen again", async () => {
  const told = vi.spyOn(Ways.prototype, "networkChanged");
  const { page } = await live();
  for (const event of ["visible", "offline"] as const) page.fire(event);
  expect(told).not.toHaveBeenCalled();
  page.fire("online");
  expect(told).toHaveBeenCalledOnce();
});

test("another network begins the try anew that is under way", () => {
  const { clock, server, ways, blocked, switched } = setUp();
  blocked();
  clock.advance(1000);
  const first = server.socket;
  ways.networkChanged();
  expect([first.closedWith, server.sockets.length]).toEqual([null, 4]);
  first.lose(4400);
  expect(switched()).toBe(0);
  server.socket.open();
  server.socket.lose(4400);
  expect(switched()).toBe(1);
  ways.ended();
  expect(clock.pending).toBe(0);
});

test("goes back when a WebSocket carries frames both ways, and not when it only opens", () => {
  const { clock, server, blocked, switched, ways } = setUp();
  blocked();
  clock.advance(1000);
  server.socket.open();
  expect(server.socket.sent).toEqual([{}]);
  server.socket.lose(1006);
  expect([switched(), ways.transport]).toEqual([0, "sse"]);
  clock.advance(60_000);
  server.socket.open();
  server.socket.lose(4400);
  expect([switched(), ways.transport]).toEqual([1, "websocket"]);
});

test("does not go back while a request is under way", () => {
  const { clock, server, blocked, switched } = setUp();
  const stream = blocked();
  stream.asking = 1;
  clock.advance(1000);
  server.socket.open();
  server.socket.lose(4400);
  expect(switched()).toBe(0);
  stream.asking = 0;
  clock.advance(1000);
  server.socket.open();
  server.socket.lose(4400);
  expect(switched()).toBe(1);
});
