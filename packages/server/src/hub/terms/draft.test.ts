import { FanfareError } from "@fanfare/protocol";
import { expect, test } from "vitest";
import { type MessageInput, toDraft } from "./draft.js";

function refusal(input: MessageInput, maxBytes = 1000): FanfareError {
  try {
    toDraft(input, maxBytes);
  } catch (error) {
    if (error instanceof FanfareError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("data becomes JSON text, and the event is message unless it is said", () => {
  expect(toDraft({ data: { a: [1, null] } }, 1000)).toEqual({ event: "message", json: '{"a":[1,null]}' });
  expect(toDraft({ data: null, event: "gone" }, 1000)).toEqual({ event: "gone", json: "null" });
});

test("what was not given is not in the draft", () => {
  const draft = toDraft({ data: 1, id: undefined, user: undefined, except: undefined }, 1000);
  expect(Object.keys(draft).sort()).toEqual(["event", "json"]);
});

test("a key belongs to the principal, and the server is one", () => {
  expect(toDraft({ data: 1, id: "k" }, 1000).idempotency).toEqual({ key: "k", principal: "server" });
  const draft = toDraft({ data: 1, id: "k", principal: "user:7", user: "7", except: "c" }, 1000);
  expect(draft).toMatchObject({ user: "7", except: "c", idempotency: { key: "k", principal: "user:7" } });
});

test("a later change of the data does not change the draft", () => {
  const data = { a: 1 };
  const draft = toDraft({ data }, 1000);
  data.a = 2;
  expect(draft.json).toBe('{"a":1}');
});

test("__proto__ is a key like any other", () => {
  expect(toDraft({ data: JSON.parse('{"__proto__":{"a":1}}') }, 1000).json).toBe('{"__proto__":{"a":1}}');
});

test("the size is counted in bytes of UTF-8, and the limit itself is allowed", () => {
  expect(toDraft({ data: "ééé" }, 8).json).toBe('"ééé"');
  const error = refusal({ data: "éééé" }, 8);
  expect(error.code).toBe("too_large");
  expect(error.message).toContain("10 bytes");
  expect(error.message).toContain("8 bytes");
});

test("data with more members than bytes are allowed is refused without being walked to its end", () => {
  expect(refusal({ data: new Array(100_000).fill(1) }, 1000).code).toBe("too_large");
});

test.each([
  [Number.NaN, "NaN"],
  [2 ** 53, "9007199254740992"],
  [new Date(0), "Date"],
])("%s is no value", (data, named) => {
  const error = refusal({ data });
  expect(error.code).toBe("invalid_value");
  expect(error.message).toContain(named);
});

test("data that is missing is no request", () => {
  expect(refusal({ data: undefined }).code).toBe("invalid_request");
});

test("more than 32 levels are refused", () => {
  let data: unknown = 1;
  for (let level = 0; level < 33; level++) data = [data];
  expect(refusal({ data }).code).toBe("invalid_value");
});

test.each(["event", "id"] as const)("%s has 1 to 200 characters", (field) => {
  expect(toDraft({ data: 1, [field]: "x".repeat(200) }, 1000)).toBeTruthy();
  for (const value of ["", "x".repeat(201), 7, null]) {
    const error = refusal({ data: 1, [field]: value });
    expect(error.code).toBe("invalid_request");
    expect(error.message).toContain(field);
  }
});
