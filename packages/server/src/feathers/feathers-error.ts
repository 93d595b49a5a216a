/** Errors as Feathers has them: its clients make instances of their own classes from these. */
import { FanfareError } from "@fanfare/protocol";

export interface FeathersError {
  /** The class, such as `NotFound`. */
  readonly name: string;
  readonly message: string;
  /** The HTTP status that belongs to the class. */
  readonly code: number;
  /** Such as `not-found`. */
  readonly className: string;
  /** This server's own code and remedy. */
  readonly data: { readonly code: string; readonly remedy: string; readonly retryAfterSeconds?: number };
}

/** The classes that Feathers knows, by the status. */
const CLASSES: Readonly<Record<number, readonly [name: string, className: string]>> = {
  400: ["BadRequest", "bad-request"],
  401: ["NotAuthenticated", "not-authenticated"],
  403: ["Forbidden", "forbidden"],
  404: ["NotFound", "not-found"],
  405: ["MethodNotAllowed", "method-not-allowed"],
  408: ["Timeout", "timeout"],
  409: ["Conflict", "conflict"],
  422: ["Unprocessable", "unprocessable"],
  429: ["TooManyRequests", "too-many-requests"],
  500: ["GeneralError", "general-error"],
  501: ["NotImplemented", "not-implemented"],
  503: ["Unavailable", "unavailable"],
};

/** Where Feathers has no class for a status: the nearest that it has. */
const NEAREST: Readonly<Record<number, number>> = {
  412: 409,
  413: 400,
  415: 400,
  421: 400,
  426: 400,
  431: 400,
  507: 503,
};

export function feathersErrorOf({
  code,
  status,
  message,
  remedy,
  retryAfterSeconds,
}: FanfareError): FeathersError {
  const known = NEAREST[status] ?? status;
  const [name, className] = CLASSES[known] ?? ["GeneralError", "general-error"];
  return {
    name,
    message,
    code: known,
    className,
    data: { code, remedy, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) },
  };
}

/** An error of the server as callers may see it: what is not meant for them stays in the log. */
export function shownError(error: unknown): FanfareError {
  return error instanceof FanfareError ? error : new FanfareError("internal", "the server failed");
}
