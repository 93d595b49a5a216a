import { FanfareError } from "@fanfare/protocol";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemRandom } from "../../base/clock.js";
import { MemorySpace } from "../../engine/memory/memory-space.js";
import type { Space } from "../../engine/space.js";
import { FakeClock, turns } from "../../testing/fake-clock.js";
import { Lines } from "../../testing/lines.js";
import { keepNewKey, MAX_KEYS, newKey, type StoredKey } from "./keys.js";
import { AccessStore, hasStoredKeys } from "./store.js";
import type { AccessData } from "./stored.js";

/** A space whose calls can be counted, and can fail or never answer. */
function aSpace() {
  const inner = new MemorySpace(() => {});
  const made = {
    inner,
    calls: [] as string[],
    fail: null as Error | null,
    hang: false,
    space: inner as Space,
  };
  const call = async <Answer>(name: string, ask: () => Promise<Answer>): Promise<Answer> => {
    made.calls.push(name);
    if (made.hang) await new Promise(() => {});
    if (made.fail) throw made.fail;
    return await ask();
  };
  made.space = {
    durable: true,
    get: (key) => call("get", () => inner.get(key)),
    compareAndSet: (...args) => call("compareAndSet", () => inner.compareAndSet(...args)),
    list: (...args) => call("list", () => inner.list(...args)),
    version: () => call("version", () => inner.version()),
  };
  return made;
}

function node(space: Space) {
  const clock = new FakeClock();
  const log = new Lines();
  const store = new AccessStore({ space, clock, log });
  onTestFinished(() => store.close());
  return { clock, log, store };
}

const key = (name = "shop"): StoredKey => newKey({ name, grants: [] }, 1, systemRandom).stored;
const adding = (stored: StoredKey) => (data: AccessData) => ({ ...data, keys: [...data.keys, stored] });
const namesOf = ({ data }: AccessStore) => data.keys.map(({ name }) => name);

describe("the store of keys and revocations", () => {
  test("has within half a second what another node has changed, and reads nothing where nothing has changed", async () => {
    const shared = aSpace();
    const [one, other] = [node(shared.space), node(shared.space)];
    await Promise.all([one.store.loaded(), other.store.loaded()]);
    let told = 0;
    other.store.onChange(() => told++);
    await one.store.change(adding(key()));
    other.clock.advance(499);
    await turns(3);
    expect(namesOf(other.store)).toEqual([]);
    other.clock.advance(1);
    await turns(3);
    expect(namesOf(other.store)).toEqual(["shop"]);
    shared.calls.length = 0;
    for (let look = 0; look < 10; look++) {
      other.clock.advance(500);
      await turns(3);
    }
    expect(shared.calls).toEqual(Array.from({ length: 10 }, () => "version"));
    expect(told).toBe(1);
  });

  test("loses no change of nodes that change it at once", async () => {
    const { space } = aSpace();
    const nodes = [node(space), node(space), node(space)];
    await Promise.all(
      Array.from({ length: 30 }, (_, index) => nodes[index % 3]?.store.change(adding(key(`k${index}`)))),
    );
    const later = node(space);
    await later.store.loaded();
    expect(namesOf(later.store)).toHaveLength(30);
    expect(await hasStoredKeys(space)).toBe(true);
  });

  test("asks an engine that fails again, says so once, and goes on with what it knows", async () => {
    const made = aSpace();
    const { store, clock, log } = node(made.space);
    await store.change(adding(key()));
    made.fail = new FanfareError("unavailable", "the engine cannot be reached");
    for (let look = 0; look < 5; look++) {
      clock.advance(500);
      await turns(3);
    }
    expect(namesOf(store)).toEqual(["shop"]);
    await expect(store.change(adding(key("other")))).rejects.toMatchObject({ code: "unavailable" });
    await expect(store.change(adding(key("other")))).rejects.toMatchObject({ code: "unavailable" });
    expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
      ["error", "keys and revocations cannot be read; it is tried again"],
      ["error", "keys and revocations cannot be written; it is tried again"],
    ]);
    made.fail = null;
    clock.advance(500);
    await turns(3);
    await store.change(adding(key("other")));
    expect(namesOf(store)).toEqual(["shop", "other"]);
    expect(log.lines.slice(2).map(({ level }) => level)).toEqual(["info", "info"]);
  });

  test("lets callers wait for the first reading for 5 seconds", async () => {
    const made = aSpace();
    made.hang = true;
    const { store, clock } = node(made.space);
    const loaded = expect(store.loaded()).rejects.toMatchObject({ code: "unavailable" });
    await turns(3);
    clock.advance(5000);
    await loaded;
  });

  test("asks nothing after its end, and leaves no rejection of an engine that is closed first", async () => {
    const made = aSpace();
    const { store } = node(made.space);
    await store.loaded();
    const asked = made.calls.length;
    store.close();
    await expect(store.change(adding(key()))).rejects.toMatchObject({ code: "unavailable" });
    await expect(store.latest()).rejects.toMatchObject({ code: "unavailable" });
    expect(made.calls).toHaveLength(asked);
  });

  test.each([
    ["no JSON", "{"],
    ["no list", "{}"],
    ["a hash that is none", JSON.stringify([{ ...key(), hash: "x" }])],
    ["grants that are none", JSON.stringify([{ ...key(), grants: 1 }])],
  ])("stays as it was when another writes %s, which is said once", async (_, text) => {
    const { space, inner } = aSpace();
    const { store, clock, log } = node(space);
    await store.change(adding(key()));
    const before = await inner.get("keys");
    await inner.compareAndSet("keys", before, text);
    for (let look = 0; look < 3; look++) {
      clock.advance(500);
      await turns(3);
    }
    expect(namesOf(store)).toEqual(["shop"]);
    expect(log.lines.map(({ message }) => message)).toEqual([
      "keys and revocations cannot be read; it is tried again",
    ]);
    await expect(hasStoredKeys(space)).rejects.toThrow(/what is stored as keys is not what Fanfare wrote/);
    await expect(store.change(adding(key()))).rejects.toMatchObject({ code: "unavailable" });
    expect(await inner.get("keys")).toBe(text);
  });

  test("changes nothing, and logs nothing, when what is to be in it is refused", async () => {
    const { space } = aSpace();
    const { store, log } = node(space);
    const refused = new FanfareError("forbidden", "no");
    const check = () => {
      throw refused;
    };
    const made = newKey({ name: "shop", grants: [] }, 1, systemRandom);
    await expect(keepNewKey(store, made, { check })).rejects.toBe(refused);
    expect(namesOf(store)).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  test("has a thousand keys at most", async () => {
    const { space } = aSpace();
    const { store } = node(space);
    const many = Array.from({ length: MAX_KEYS }, () => key());
    await store.change((data) => ({ ...data, keys: many }));
    const one = newKey({ name: "one more", grants: [] }, 1, systemRandom);
    await expect(keepNewKey(store, one)).rejects.toMatchObject({
      code: "invalid_request",
      remedy: expect.stringContaining("Revoke keys"),
    });
    expect(store.data.keys).toHaveLength(MAX_KEYS);
  });
});
