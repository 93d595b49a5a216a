/**
 * Where a request really comes from. A proxy hands on the client's address and the host name in headers that anybody can write, so
 * they are believed only where a proxy wrote them that is configured as trusted.
 */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { BlockList, isIP, isIPv6 } from "node:net";
import { shown } from "@fanfare/protocol";
import type { Log } from "../../base/log.js";

/** Somebody who calls, as far as his address tells. */
export interface Caller {
  /** For the log: the client's own address, as far as it is known. */
  readonly address: string;
  /**
   * Whose limits count: the address, or the first 64 bits of an IPv6 address, which are one line of one customer. `null` is this
   * machine itself: it is not limited.
   */
  readonly line: string | null;
}

const UNKNOWN: Caller = { address: "unknown", line: null };
/** A longer chain of proxies than anybody has. */
const MAX_HOPS = 20;
/** A look into the list costs several microseconds, and the same few proxies come again and again. */
const MAX_REMEMBERED = 1000;

export class Addresses {
  readonly #trusted = new BlockList();
  readonly #remembered = new Map<string, boolean>();
  readonly #log: Log;
  readonly #none: boolean;
  #warned = false;

  /**
   * @param proxies addresses, or ranges such as `10.0.0.0/8`
   * @throws TypeError
   */
  constructor(proxies: readonly string[], log: Log) {
    this.#log = log;
    this.#none = proxies.length === 0;
    for (const proxy of proxies) add(this.#trusted, proxy);
  }

  /** @param remoteAddress the address at the other end of the socket; none for a socket of this machine */
  callerOf(remoteAddress: string | undefined, headers: IncomingHttpHeaders): Caller {
    if (remoteAddress === undefined) return UNKNOWN;
    const forwarded = headers["x-forwarded-for"];
    if (forwarded === undefined) return caller(bare(remoteAddress), false);
    if (!this.#trusts(bare(remoteAddress))) {
      this.#warn(remoteAddress);
      return caller(bare(remoteAddress), false);
    }
    return this.#behind(bare(remoteAddress), String(forwarded));
  }

  /** The host name that the client called, where a trusted proxy says it; else it is the `Host` header. */
  hostOf(remoteAddress: string | undefined, headers: IncomingHttpHeaders): string | undefined {
    const forwarded = headers["x-forwarded-host"];
    if (typeof forwarded !== "string" || remoteAddress === undefined || !this.#trusts(bare(remoteAddress)))
      return undefined;
    // Each proxy adds what it saw: the last one was written by the proxy that we trust.
    return forwarded.split(",").at(-1)?.trim();
  }

  /** From the end, as far as there are proxies that we trust: the first of the others was seen by one of ours. */
  #behind(remoteAddress: string, forwarded: string): Caller {
    let client = remoteAddress;
    for (const hop of forwarded.split(",").slice(-MAX_HOPS).reverse()) {
      const address = bare(hop.trim());
      if (isIP(address) === 0) break;
      client = address;
      if (!this.#trusts(address)) break;
    }
    return caller(client, true);
  }

  #trusts(address: string): boolean {
    if (this.#none) return false;
    const known = this.#remembered.get(address);
    if (known !== undefined) return known;
    const family = isIP(address);
    const trusts = family !== 0 && this.#trusted.check(address, family === 6 ? "ipv6" : "ipv4");
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(address, trusts);
    return trusts;
  }

  /** Without this, all clients of a proxy share the limits of its address, without a sign of it. */
  #warn(remoteAddress: string): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#log.warn(
      { remedy: `Add ${bare(remoteAddress)} to trustedProxies if it is your proxy.` },
      `X-Forwarded-For is not believed: it came from ${bare(remoteAddress)}, which is not in trustedProxies`,
    );
  }
}

/** @throws TypeError */
function add(list: BlockList, proxy: string): void {
  const [address = "", prefix, ...more] = proxy.split("/");
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  const bits = prefix === undefined ? null : Number(/^\d{1,3}$/.test(prefix) ? prefix : Number.NaN);
  try {
    if (isIP(address) === 0 || more.length > 0) throw new TypeError();
    if (bits === null) list.addAddress(address, family);
    else list.addSubnet(address, bits, family);
  } catch {
    throw new TypeError(
      `trustedProxies: ${shown(proxy)} is no address. Give an address or a range, such as 10.0.0.7 or 10.0.0.0/8.`,
    );
  }
}

/** Without port, brackets, zone, and the form in which IPv6 sockets show IPv4 addresses. */
function bare(address: string): string {
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(address) ?? [];
  const [, withoutPort] = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(address) ?? [];
  const plain = (bracketed ?? withoutPort ?? address).replace(/%.*$/, "");
  return plain.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}

function caller(address: string, forwarded: boolean): Caller {
  // What comes from this machine itself is not limited: that would be one limit for all clients of a proxy on it.
  if (isIP(address) === 0 || (!forwarded && isLoopback(address))) return { address, line: null };
  return { address, line: isIPv6(address) ? firstHalf(address) : address };
}

/** The `Host` header as it came. Of several, Node tells the first, and we cannot know which of them others went by. */
export function allHosts({
  rawHeaders,
  headers,
}: Pick<IncomingMessage, "rawHeaders" | "headers">): string | undefined {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === "host") hosts++;
  }
  return hosts > 1
    ? rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === "host").join(", ")
    : headers.host;
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

/** The first four groups of an IPv6 address, written out. */
function firstHalf(address: string): string {
  const [left = "", right] = address.split("::");
  const before = left === "" ? [] : left.split(":");
  const after = right === undefined || right === "" ? [] : right.split(":");
  // An IPv4 address at the end stands for two groups.
  const missing =
    right === undefined ? 0 : 8 - before.length - after.length - (address.includes(".") ? 1 : 0);
  const groups = [...before, ...Array.from({ length: missing }, () => "0"), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}
