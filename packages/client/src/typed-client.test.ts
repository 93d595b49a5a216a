import { type as ark } from "arktype";
import * as v from "valibot";
import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { createClient } from "./client.js";
import type { SocketConstructor } from "./client-options.js";
import {
  type DataOf,
  defineChannels,
  type InfoOf,
  type MessageOf,
  type NamesOf,
  type StateOf,
} from "./define-channels.js";
import type { Position } from "./types.js";

/** A socket that never opens. */
class NoSocket {
  readonly readyState = 0;
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  send(): void {}
  close(): void {}
}

const options = { url: "http://localhost/push", WebSocket: NoSocket as SocketConstructor };

const channels = defineChannels({
  "order:{id}": {
    message: z.object({ status: z.string() }),
    state: z.object({ total: z.number(), note: z.string().optional() }),
    presence: z.object({ name: z.string() }),
  },
  "order:latest": { message: v.object({ id: v.number() }) },
  "chat:{room}": {
    messages: { said: ark({ text: "string" }), left: v.null() },
  },
  "log:{app}:{level}": {},
  broadcast: { message: z.string() },
  when: { message: z.string().transform((text) => new Date(text)) },
});
type Channels = typeof channels;

describe("typed channels", () => {
  test("have the names of their definitions, with any text for a parameter", () => {
    expectTypeOf<NamesOf<Channels>>().toEqualTypeOf<
      `order:${string}` | "order:latest" | `chat:${string}` | `log:${string}:${string}` | "broadcast" | "when"
    >();
  });

  test("carry what the schema of their definition takes", () => {
    expectTypeOf<DataOf<Channels, "order:42">>().toEqualTypeOf<{ status: string }>();
    expectTypeOf<DataOf<Channels, `order:${string}`>>().toEqualTypeOf<{ status: string }>();
    expectTypeOf<DataOf<Channels, "order:latest">>().toEqualTypeOf<{ id: number }>();
    expectTypeOf<DataOf<Channels, "chat:a", "said">>().toEqualTypeOf<{ text: string }>();
    expectTypeOf<DataOf<Channels, "chat:a", "left">>().toEqualTypeOf<null>();
    expectTypeOf<DataOf<Channels, "log:app:warn">>().toEqualTypeOf<unknown>();
    expectTypeOf<DataOf<Channels, "when">>().toEqualTypeOf<string>();
    expectTypeOf<StateOf<Channels, "order:42">>().toEqualTypeOf<{
      total: number;
      note?: string | undefined;
    }>();
    expectTypeOf<InfoOf<Channels, "order:42">>().toEqualTypeOf<{ name: string }>();
    expectTypeOf<InfoOf<Channels, "broadcast">>().toEqualTypeOf<unknown>();
    expectTypeOf<StateOf<Channels, "broadcast">>().toEqualTypeOf<{ readonly [key: string]: unknown }>();
  });

  test("tell messages apart by their event", () => {
    const show = (message: MessageOf<Channels, "chat:a">) => {
      if (message.event === "said") expectTypeOf(message.data).toEqualTypeOf<{ text: string }>();
      else expectTypeOf(message.data).toEqualTypeOf<null>();
    };
    expectTypeOf(show).parameter(0).toHaveProperty("offset").toEqualTypeOf<number>();
  });
});

describe("a typed client", () => {
  const client = createClient<Channels>(options);
  const id: string = "7";

  test("hands out what a channel carries", () => {
    client.subscribe(
      "order:42",
      ({ data, event }) => {
        expectTypeOf(data).toEqualTypeOf<{ status: string }>();
        expectTypeOf(event).toEqualTypeOf<string>();
      },
      { onState: ({ state }) => expectTypeOf(state?.total).toEqualTypeOf<number | undefined>() },
    );
    const order = client.subscribe("order:42", () => {}, {
      onPresence: ({ joined, left, members }) => {
        expectTypeOf(joined).toEqualTypeOf(left);
        expectTypeOf(joined[0]?.info).toEqualTypeOf<{ name: string } | undefined>();
        expectTypeOf(members?.[0]?.info?.name).toEqualTypeOf<string | undefined>();
      },
    });
    expectTypeOf(order.presence?.members?.[0]?.info).toEqualTypeOf<{ name: string } | undefined>();
    client.subscribe(`order:${id}`, ({ data }) => expectTypeOf(data).toEqualTypeOf<{ status: string }>());
    client.subscribe("order:latest", ({ data }) => expectTypeOf(data).toEqualTypeOf<{ id: number }>());
    const subscription = client.subscribe(`log:${id}:warn`, ({ data }) => expectTypeOf(data).toBeUnknown());
    expectTypeOf(client.messages("broadcast").next).returns.toExtend<Promise<IteratorResult<object>>>();
    subscription.unsubscribe();
  });

  test("knows neither other names nor other payloads", () => {
    const compiled = () => {
      // @ts-expect-error there is no such channel
      client.subscribe("ordr:42", () => {});
      // @ts-expect-error a parameter is one segment
      client.subscribe("order:42:lines", () => {});
      // @ts-expect-error any text may be another channel
      client.subscribe(id, () => {});
      // @ts-expect-error the data has no such member
      client.subscribe("order:42", ({ data }) => data.amount);
      // @ts-expect-error what is said about a member has no such member
      client.subscribe("order:42", () => {}, { onPresence: ({ joined }) => joined[0]?.info?.age });
      // @ts-expect-error status is a text
      client.publish("order:42", { status: 1 });
      // @ts-expect-error status is missing
      client.publish(`order:${id}`, {});
      // @ts-expect-error no event of this channel is called message
      client.publish("chat:a", { text: "hello" });
      // @ts-expect-error total is a number
      client.patch("order:42", { total: "1" });
      // @ts-expect-error total cannot be removed
      client.patch("order:42", { total: null });
      // @ts-expect-error it is called said
      client.publish("chat:a", { text: "hello" }, { event: "sad" });
      // @ts-expect-error the data of left is null
      client.publish("chat:a", { text: "hello" }, { event: "left" });
    };
    expectTypeOf(compiled).returns.toBeVoid();
  });

  test("publishes what fits, and answers with the position", () => {
    const compiled = () => [
      client.publish("order:42", { status: "paid" }, { id: "k" }),
      client.publish("order:42", { status: "paid" }, { event: "changed" }),
      client.publish("chat:a", { text: "hello" }, { event: "said" }),
      client.publish("chat:a", null, { event: "left", id: "k" }),
      client.publish("log:a:b", [1]),
      client.patch("order:42", { note: null }, { ifVersion: null }),
    ];
    expectTypeOf(compiled).returns.toEqualTypeOf<Promise<Position>[]>();
  });
});

test("an untyped client takes every name, and the type that the page says", () => {
  const client = createClient(options);
  client.subscribe<{ status: string }>("anything", ({ data }) =>
    expectTypeOf(data).toEqualTypeOf<{ status: string }>(),
  );
  client.subscribe("anything", ({ data }) => expectTypeOf(data).toBeUnknown());
  client.close();
});
