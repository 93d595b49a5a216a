/** The CSRF token of the Mendix session. Where it is to be had depends on the version of Mendix. */

/** The module `mendix/session`. */
export interface MendixSession {
  getCSRFToken?(): string;
}

/** The global `mx`, where older versions of Mendix keep the token. */
export interface MendixGlobal {
  readonly session?: { getConfig?(key: "csrftoken"): unknown };
  readonly sessionData?: { readonly csrftoken?: unknown };
}

declare global {
  interface Window {
    readonly mx?: MendixGlobal;
  }
}

/** `undefined` where there is none, as in an app without users. */
export function csrfToken(session: MendixSession, mx: MendixGlobal | undefined): string | undefined {
  const found =
    session.getCSRFToken?.() || mx?.session?.getConfig?.("csrftoken") || mx?.sessionData?.csrftoken;
  return typeof found === "string" && found !== "" ? found : undefined;
}
