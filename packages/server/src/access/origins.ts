/**
 * Which host names and which browser pages a request may come by. Browsers send `Origin` with WebSockets and with every call
 * of another site, so a foreign page is told apart; `Host` tells a DNS name that was rebound to this machine.
 */
import { FanfareError, quote } from "@fanfare/protocol";

/** The headers that matter here. */
export interface RequestOrigin {
  readonly host: string | undefined;
  readonly origin: string | undefined;
}

/** @throws FanfareError `host_not_allowed`, `origin_not_allowed` */
export type CheckOrigin = (request: RequestOrigin) => void;

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** For development: only names of this machine, and only pages that were loaded from it, on whatever port. */
export const loopbackOnly: CheckOrigin = ({ host, origin }) => {
  if (!LOOPBACK.has(hostName(host))) {
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
 * For everything else: a browser page must come from the host that it calls, or from one of these origins.
 *
 * @param allowedOrigins such as `https://app.example.com`
 */
export function sameOrigin(allowedOrigins: readonly string[]): CheckOrigin {
  const allowed = new Set(allowedOrigins.map(checkedOrigin));
  return ({ host, origin }) => {
    if (origin === undefined || allowed.has(origin)) return;
    const url = parseUrl(origin);
    if (url && host !== undefined && url.host === parseUrl(`${url.protocol}//${host}`)?.host) return;
    throw new FanfareError(
      "origin_not_allowed",
      `the page's origin is ${shown(origin)}, the host ${shown(host)}`,
      {
        remedy: `Add ${shown(origin)} to allowedOrigins if its pages may come in.`,
      },
    );
  };
}

function checkedOrigin(origin: string): string {
  const url = parseUrl(origin);
  if (url && url.origin === origin) return origin;
  throw new TypeError(
    `allowedOrigins: ${quote(origin)} is no origin. Give scheme, host and port only, such as https://app.example.com.`,
  );
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
