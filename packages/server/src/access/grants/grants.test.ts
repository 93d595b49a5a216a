import { parseChannelName } from "@fanfare/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ACTIONS, type Action } from "./actions.js";
import { ALL_GRANTS, type Grant, Grants, NO_GRANTS, segmentOf, userProblem } from "./grants.js";

const subscribe = (channels: string): Grant => ({ channels, actions: ["subscribe"] });
const may = (grants: Grants, channel: string, action: Action = "subscribe") =>
  grants.find(action, parseChannelName(channel)) !== null;

describe("grants", () => {
  test("allow the actions that they name, on the channels that they cover", () => {
    const grants = new Grants([{ channels: "order:*", actions: ["subscribe", "history"] }], null);
    expect(may(grants, "order:42")).toBe(true);
    expect(may(grants, "order:42", "history")).toBe(true);
    expect(may(grants, "order:42", "publish")).toBe(false);
    expect(may(grants, "order")).toBe(false);
    expect(may(grants, "order:42:lines")).toBe(false);
  });

  test("add up, and the first that allows it is named", () => {
    const list = [subscribe("a"), subscribe("*"), subscribe("**")];
    const grants = new Grants(list, null);
    expect(grants.find("subscribe", parseChannelName("a"))).toEqual(list[0]);
    expect(grants.find("subscribe", parseChannelName("b"))).toEqual(list[1]);
    expect(grants.find("subscribe", parseChannelName("b:c"))).toEqual(list[2]);
  });

  test("of * are for all that is done on channels, never for looking after the server", () => {
    const grants = new Grants([{ channels: "**", actions: ["*"] }], null);
    for (const [action, { on }] of Object.entries(ACTIONS)) {
      const found = grants.find(action as Action, on === "server" ? null : parseChannelName("a:b"));
      expect(found !== null, action).toBe(on === "channel");
    }
    expect(ALL_GRANTS.find("admin", null)).not.toBeNull();
    expect(NO_GRANTS.find("subscribe", parseChannelName("a"))).toBeNull();
  });

  test("of a narrower pattern say nothing about the server as a whole", () => {
    expect(new Grants([{ channels: "a:**", actions: ["*"] }], null).find("subscribe", null)).toBeNull();
  });

  test.each<[string, unknown, RegExp]>([
    ["no list", { channels: "a", actions: ["subscribe"] }, /^grants is an object$/],
    ["null", null, /^grants is null$/],
    ["too many", Array.from({ length: 101 }, () => subscribe("a")), /101 grants, and 100/],
    ["no object", ["a"], /^grants\[0\] is "a"$/],
    ["no pattern", [{ actions: ["subscribe"] }], /grants\[0\]\.channels/],
    ["a pattern that is none", [subscribe("a::b")], /grants\[0\]\.channels: "a::b"/],
    ["** in the middle", [subscribe("**:a")], /may only be the last/],
    ["half a placeholder", [subscribe("user:x{sub}")], /not allowed/],
    ["another placeholder", [subscribe("user:{user}")], /not allowed/],
    ["no actions", [{ channels: "a", actions: [] }], /grants\[0\]\.actions/],
    ["an action that there is not", [{ channels: "a", actions: ["read"] }], /"read"/],
    ["one of an object's own members", [{ channels: "a", actions: ["constructor"] }], /"constructor"/],
    ["a member that there is not", [{ ...subscribe("a"), except: "b" }], /"except"/],
    ["admin on some channels", [{ channels: "a:**", actions: ["admin"] }], /admin/],
    ["a placeholder without a user", [subscribe("user:{sub}")], /no user/],
  ])("are refused: %s", (_, value, why) => {
    expect(() => new Grants(value, null)).toThrow(
      expect.objectContaining({ code: "invalid_grants", message: expect.stringMatching(why) }),
    );
  });
});

describe("{sub} in a grant", () => {
  test("is the id of the user", () => {
    const grants = new Grants([subscribe("user:{sub}:**"), subscribe("inbox:{sub}")], "alice");
    expect(may(grants, "user:alice:orders:1")).toBe(true);
    expect(may(grants, "inbox:alice")).toBe(true);
    expect(may(grants, "inbox:bob")).toBe(false);
    expect(may(grants, "user:alice")).toBe(false);
  });

  test.each(["*", "**", "a:b", "a:**", "{sub}", "", "ä", "a b", "~YTpi", "\n"])(
    "gains nothing for a user called %j",
    (user) => {
      const grants = new Grants([subscribe("inbox:{sub}")], user);
      for (const channel of ["inbox:a", "inbox:a:b", "inbox:alice", "inbox:sub", "inbox:YTpi", "a:b"]) {
        expect(may(grants, channel), channel).toBe(false);
      }
    },
  );

  // Few characters, so that ids meet; with those that mean something in patterns and in base64url.
  const user = fc.oneof(
    fc.string({
      unit: fc.constantFrom("a", "b", "*", ":", "~", "{", "}", "ä", "=", "Y", "T", "p", "i"),
      minLength: 1,
      maxLength: 6,
    }),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
  );

  test("stands for one segment, and for no two users for the same", () => {
    fc.assert(
      fc.property(user, user, (one, other) => {
        fc.pre(userProblem(one) === null && userProblem(other) === null);
        expect(parseChannelName(segmentOf(one))).not.toContain(":");
        expect(segmentOf(one) === segmentOf(other)).toBe(one === other);
        const grants = new Grants([subscribe("inbox:{sub}"), subscribe("user:{sub}:**")], one);
        expect(may(grants, `inbox:${segmentOf(other)}`)).toBe(one === other);
        expect(may(grants, `user:${segmentOf(other)}:a`)).toBe(one === other);
      }),
      { numRuns: 1000 },
    );
  });

  test.each(["*", "a:b", "~", "ä b"])(
    "of a user called as the segment of another is not that one: %j",
    (user) => {
      const segment = segmentOf(user);
      expect(segment.startsWith("~")).toBe(true);
      expect(segmentOf(segment)).not.toBe(segment);
    },
  );

  test("lets a user reach only channels with his own segment at its place", () => {
    const name = fc
      .array(fc.constantFrom("a", "b", "inbox", "~Kg", "~YTpi", "sub"), { minLength: 1, maxLength: 4 })
      .map((segments) => segments.join(":"));
    fc.assert(
      fc.property(user, name, (id, channel) => {
        const grants = new Grants([subscribe("inbox:{sub}:**")], id);
        const [first, second, ...rest] = channel.split(":");
        const own = first === "inbox" && second === segmentOf(id) && rest.length > 0;
        expect(may(grants, channel)).toBe(own);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("what is handed out", () => {
  const holder = new Grants([{ channels: "order:**", actions: ["token", "subscribe"] }], null);
  const lacks = (...grants: Grant[]) => holder.lacks(new Grants(grants, "alice"), "token");

  test("has to lie within what one has", () => {
    expect(lacks(subscribe("order:*"), subscribe("order:42"), subscribe("order:{sub}:a"))).toBeNull();
    expect(lacks(subscribe("order:1"), subscribe("**"))).toMatchObject({
      grant: subscribe("**"),
      action: "token",
    });
    expect(lacks(subscribe("*:1"))).not.toBeNull();
    expect(lacks({ channels: "order:1", actions: ["publish"] })).toMatchObject({ action: "publish" });
    expect(lacks({ channels: "order:1", actions: ["*"] })).not.toBeNull();
    expect(lacks({ channels: "**", actions: ["admin"] })).not.toBeNull();
  });

  test("never reaches a channel that one cannot reach", () => {
    const segment = fc.constantFrom("a", "b", "*");
    const pattern = fc
      .tuple(fc.array(segment, { maxLength: 3 }), fc.boolean())
      .map(([segments, open]) => (open ? [...segments, "**"] : segments))
      .filter(({ length }) => length > 0)
      .map((segments) => segments.join(":"));
    const channel = fc
      .array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 4 })
      .map((s) => s.join(":"));
    fc.assert(
      fc.property(pattern, pattern, channel, (mine, theirs, name) => {
        const own = new Grants([{ channels: mine, actions: ["*"] }], null);
        const others = new Grants([{ channels: theirs, actions: ["publish"] }], null);
        fc.pre(own.lacks(others, "token") === null && may(others, name, "publish"));
        expect(may(own, name, "publish")).toBe(true);
      }),
    );
  });
});
