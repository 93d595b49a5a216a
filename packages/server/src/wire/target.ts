/**
 * The address and the host of a request, brought to one form for all doors: RFC 9112, section 3.2 (absolute-form) and RFC 9110, section
 * 7.2 (`Host`). Which hosts may come in is the business of the entrance.
 */
import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";
import { FanfareError, quote } from "@fanfare/protocol";

const ABSOLUTE = /^https?:\/\/([^/?#]*)([^#]*)/i;
/** Hosts that a URL holds as they are, a name or an IPv4 address: nearly all requests name one of these. */
const PLAIN = /^[a-z0-9._-]*[a-z_-][a-z0-9._-]*(?::[1-9]\d{0,4})?$/;
const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}(?::[1-9]\\d{0,4})?$`);
/** RFC 3986, section 3.2.2, each with an optional port, which may be empty. */
const REG_NAME = /^(?:[\w.~!$&'()*+,;=-]|%[0-9a-f]{2})+(?::\d*)?$/i;
const IP_LITERAL = /^\[([0-9a-f:.]+|v[0-9a-f]+\.[\w.~!$&'()*+,;=:-]+)\](?::\d*)?$/i;
/** Stands in URLs for a valid host that no URL can hold, such as `[v1.x]`: RFC 6761 keeps it from ever being a host. */
const UNNAMEABLE = "unnameable.invalid";

/** The path and the query that a request is for, whatever its form. */
export function pathOf(url: string | undefined): string | undefined {
  if (url === undefined || url.startsWith("/")) return url;
  const [, , rest] = ABSOLUTE.exec(url) ?? [];
  if (rest === undefined) return url;
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/**
 * Leaves a request with a path in `url`, and in `headers.host` a host that a URL can hold. `rawHeaders` still has
 * the host as the client wrote it. The host of an absolute address takes the place of the header, as RFC 9112 demands.
 *
 * @returns what is wrong with the host
 */
export function settleTarget(request: IncomingMessage): FanfareError | null {
  const { url = "", headers } = request;
  if (!url.startsWith("/")) {
    const [, authority] = ABSOLUTE.exec(url) ?? [];
    if (authority !== undefined) {
      request.url = pathOf(url);
      callHost(request, authority);
    }
  }
  const { host } = headers;
  const count = hostsIn(request.rawHeaders);
  // HTTP/1.0 need not name one, and HTTP/2 has it in the address.
  if (count > 1 || (count === 0 && request.httpVersion === "1.1")) {
    return new FanfareError("invalid_request", `the request has ${count} Host headers`, {
      remedy: "Send one Host header: the host name or address that you call.",
    });
  }
  // An empty one stands for none.
  if (host === undefined || host === "" || PLAIN.test(host) || IPV4.test(host)) return null;
  if (!isHost(host)) {
    return new FanfareError("invalid_request", `the Host is ${quote(host, 100)}`, {
      remedy: "Send the host name or address that you call, with its port where it is not the usual one.",
    });
  }
  headers.host = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).host : UNNAMEABLE;
  return null;
}

/** How often a host is named: Node keeps the first of several, where a proxy may have gone by the last. */
function hostsIn(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === "host") count++;
  }
  return count;
}

/** Is it a host with or without a port, by RFC 3986? */
function isHost(text: string): boolean {
  if (REG_NAME.test(text)) return true;
  const [, address] = IP_LITERAL.exec(text) ?? [];
  return address !== undefined && (/^v/i.test(address) || isIPv6(address));
}

function callHost({ headers, rawHeaders }: IncomingMessage, authority: string): void {
  headers.host = authority;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === "host") rawHeaders[at + 1] = authority;
  }
}
