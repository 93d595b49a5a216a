/**
 * Which host names and which browser pages a request may come by. Browsers send `Origin` with WebSockets and with every call
 * of another site, so a foreign page is told apart; `Host` tells a DNS name that was rebound to this machine.
 */
import { FanfareError, quote } from "@fanfare/protocol";
import { z } from "zod";
import { described, type Given } from "../base/option.js";

/** What matters here of a request. */
interface RequestOrigin {
  /** The host name that the client called; behind a trusted proxy, what that says. */
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Are there cookies? Without them and without an origin, it is no browser that somebody else could use. */
  readonly cookies: boolean;
}

/** The comments are what editors show: `config/options.test.ts` holds them to the texts and defaults. */
export const originOptions = {
  /** Origins whose pages may connect, besides the host that Fanfare is reached by. `null` and `*` are not possible. @default none */
  allowedOrigins: described(z.array(z.string().refine(isOrigin)).default([]), {
    text: "Origins whose pages may connect, besides the host that Fanfare is reached by. `null` and `*` are not possible.",
    allowed: "scheme, host and port only, such as https://app.example.com",
  }),
  /** Where browsers reach this server. Then they have to call it so, and their pages have to come from there or from `allowedOrigins`. Empty: the page's host has to be the host that it calls. @default "" */
  publicUrl: described(
    z
      .string()
      .refine((url) => url === "" || isOrigin(url))
      .default(""),
    {
      text: "Where browsers reach this server. Then they have to call it so, and their pages have to come from there or from `allowedOrigins`. Empty: the page's host has to be the host that it calls.",
      allowed: "scheme, host and port only, such as https://push.example.com",
    },
  ),
  /** Further host names by which browsers may call this server. @default none */
  allowedHosts: described(z.array(z.string().refine((host) => normalHost(host) !== "")).default([]), {
    text: "Further host names by which browsers may call this server.",
    allowed: "a host name, with its port where it is not 80 or 443",
  }),
};

export type OriginOptions = Given<typeof originOptions>;
/** Options of origins, as their schemas have them. */
export type OriginSettings = z.output<z.ZodObject<typeof originOptions>>;

/** @throws FanfareError `host_not_allowed`, `origin_not_allowed` */
export type CheckOrigin = (request: RequestOrigin) => void;

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** For development: only names of this machine, and only pages that were loaded from it, on whatever port. */
export const loopbackOnly: CheckOrigin = ({ host, origin }) => {
  if (!LOOPBACK.has(plainHost(hostName(host)))) {
    throw new FanfareError("host_not_allowed", `the Host header is ${shown(host)}`, {
      remedy:
        "Use http://localhost, http://127.0.0.1 or http://[::1]; the development server answers to nothing else.",
    });
  }
  if (origin === undefined) return;
  const page = parseUrl(origin);
  if (page?.origin !== origin || !LOOPBACK.has(page.hostname)) {
    throw new FanfareError(
      "origin_not_allowed",
      `the page's origin is ${shown(origin)}, the host ${shown(host)}`,
      {
        remedy:
          "Load the page from http://localhost; the development server serves no pages of other machines.",
      },
    );
  }
};

/**
 * For everything else: a browser page must come from the host that it calls, or from an origin that is allowed; and where it is
 * known how this server is called, browsers must call it so.
 */
export function sameOrigin({
  allowedOrigins = [],
  publicUrl = "",
  allowedHosts = [],
}: Partial<OriginSettings> = {}): CheckOrigin {
  const allowed = new Set(allowedOrigins);
  const own = publicUrl === "" ? null : publicUrl;
  if (own !== null) allowed.add(own);
  const hosts = new Set(allowedHosts.map(normalHost));
  if (own !== null) hosts.add(plainHost(new URL(own).host));
  return ({ host, origin, cookies }) => {
    if (hosts.size > 0 && (cookies || origin !== undefined) && !hosts.has(normalHost(host))) {
      const expected = [...hosts].map((each) => quote(each)).join(", ");
      throw new FanfareError("host_not_allowed", `the host is ${shown(host)}; expected is ${expected}`, {
        remedy: `Use publicUrl, or add ${shown(host)} to allowedHosts if it is a name of this server.`,
      });
    }
    if (origin === undefined || allowed.has(origin)) return;
    if (own === null && isSameHost(origin, host)) return;
    throw new FanfareError(
      "origin_not_allowed",
      `the page's origin is ${shown(origin)}, the host ${own === null ? shown(host) : `${shown(host)}, and publicUrl ${quote(own)}`}`,
      { remedy: `Add ${shown(origin)} to allowedOrigins if its pages may come in.` },
    );
  };
}

function isSameHost(origin: string, host: string | undefined): boolean {
  const url = parseUrl(origin);
  return url !== null && host !== undefined && url.host === parseUrl(`${url.protocol}//${host}`)?.host;
}

/** Empty where it is none. */
function normalHost(host: string | undefined): string {
  return hostName(host) === "" ? "" : plainHost(parseUrl(`http://${host}`)?.host ?? "");
}

/** Without a port that goes without saying, and without the dot that marks a whole domain name. */
function plainHost(host: string): string {
  return host.replace(/:(?:80|443)$/, "").replace(/\.(?=:|$)/, "");
}

function isOrigin(text: string): boolean {
  return parseUrl(text)?.origin === text;
}

/** Empty where the header is no host with or without a port. */
function hostName(host: string | undefined): string {
  if (host === undefined || /[/\\?#@]/.test(host)) return "";
  return parseUrl(`http://${host}`)?.hostname ?? "";
}

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

function shown(header: string | undefined): string {
  return header === undefined ? "missing" : quote(header, 100);
}
