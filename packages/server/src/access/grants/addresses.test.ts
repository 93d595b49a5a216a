import type { IncomingHttpHeaders } from "node:http";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { silentLog } from "../../base/log.js";
import { Addresses, allHosts } from "./addresses.js";

const addresses = (...proxies: string[]) => new Addresses(proxies, silentLog);
const from = (...hops: string[]): IncomingHttpHeaders => ({ "x-forwarded-for": hops.join(", ") });

describe("the address of a caller", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8::1", "2001:DB8::1", "2001:db8:0:0::/64"],
    ["2001::db8:1:2:3:4:5", "2001::db8:1:2:3:4:5", "2001:0:db8:1::/64"],
    ["fe80::1%eth0", "fe80::1", "fe80:0:0:0::/64"],
    ["127.0.0.1", "127.0.0.1", null],
    ["::1", "::1", null],
    ["::ffff:127.0.0.1", "127.0.0.1", null],
  ])("is that of the socket: %s", (peer, address, line) => {
    expect(addresses().callerOf(peer, {})).toEqual({ address, line });
  });

  test("is nobody's on a socket of this machine", () => {
    expect(addresses("0.0.0.0/0").callerOf(undefined, from("192.0.2.1"))).toEqual({
      address: "unknown",
      line: null,
    });
  });

  test.each([
    ["what a trusted proxy saw", ["192.0.2.1"], "192.0.2.1"],
    ["the last that is no proxy of ours", ["203.0.113.9", "192.0.2.1", "10.1.1.1"], "192.0.2.1"],
    ["not what the client wrote itself", ["127.0.0.1", "192.0.2.1"], "192.0.2.1"],
    ["without the port", ["192.0.2.1:5678"], "192.0.2.1"],
    ["without brackets", ["[2001:db8::1]:5678"], "2001:db8::1"],
    ["the proxy's where there is none", ["unknown"], "10.0.0.7"],
    ["the last before nonsense", ["nonsense", "10.1.1.1"], "10.1.1.1"],
    ["of this machine, where a proxy saw that", ["127.0.0.1"], "127.0.0.1"],
  ])("behind a trusted proxy is %s", (_, hops, address) => {
    const caller = addresses("10.0.0.0/8").callerOf("::ffff:10.0.0.7", from(...hops));
    expect(caller.address).toBe(address);
    expect(caller.line).not.toBeNull();
  });

  test("is never what somebody claims who is no trusted proxy, whatever he claims", () => {
    fc.assert(
      fc.property(fc.string(), fc.ipV4(), (claimed, peer) => {
        const plain = addresses("10.0.0.7");
        fc.pre(peer !== "10.0.0.7");
        expect(plain.callerOf(peer, { "x-forwarded-for": claimed }).address).toBe(peer);
        expect(plain.hostOf(peer, { host: "a", "x-forwarded-host": claimed })).toBeUndefined();
      }),
    );
  });

  test("cannot be chosen by what stands before what the proxy wrote", () => {
    fc.assert(
      fc.property(fc.string(), (claimed) => {
        const caller = addresses("10.0.0.7").callerOf("10.0.0.7", from(claimed, "192.0.2.1"));
        expect(caller).toEqual({ address: "192.0.2.1", line: "192.0.2.1" });
      }),
    );
  });

  test("is warned of once where a proxy is not configured", () => {
    const warnings: object[] = [];
    const own = new Addresses([], { ...silentLog, warn: (fields) => void warnings.push(fields) });
    for (let count = 0; count < 3; count++) own.callerOf("127.0.0.1", from("192.0.2.1"));
    expect(warnings).toEqual([{ remedy: expect.stringContaining("Add 127.0.0.1 to trustedProxies") }]);
  });
});

describe("the host that was called", () => {
  test("is what the nearest trusted proxy says, and nobody else", () => {
    const headers = { host: "push:3030", "x-forwarded-host": "evil.example, app.example" };
    expect(addresses("10.0.0.7").hostOf("10.0.0.7", headers)).toBe("app.example");
    expect(addresses("10.0.0.7").hostOf("10.0.0.8", headers)).toBeUndefined();
    expect(addresses("10.0.0.7").hostOf("10.0.0.7", { host: "push:3030" })).toBeUndefined();
  });
});

test.each(["", "proxy", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/8/8", "::1/129", "*"])(
  "%j is refused as a trusted proxy",
  (proxy) => {
    expect(() => addresses(proxy)).toThrow(/trustedProxies: .*Give an address or a range/);
  },
);

test("the host of a request is each one that it names, in order, and nothing else", () => {
  const hostOf = (...rawHeaders: string[]) => allHosts({ rawHeaders, headers: { host: "a.example" } });
  const one = ["Accept", "host", "HOST", "a.example", "Hose", "b.example"];
  expect(hostOf(...one)).toBe("a.example");
  expect(hostOf(...one, "hOst", "c.example")).toBe("a.example, c.example");
  expect(allHosts({ rawHeaders: [], headers: {} })).toBeUndefined();
});
