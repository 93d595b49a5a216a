/**
 * Routes, of which the resources of the HTTP API consist, each with its description. The application registers what is listed,
 * the OpenAPI document describes what is listed, and `Allow` names what is listed; so nothing can be served undescribed.
 */
import type { ErrorCode } from "@fanfare/protocol";
import type { Context } from "hono";
import type { z } from "zod";
import type { Action } from "../../access/grants/actions.js";
import type { HttpEnv } from "./context.js";

export type Handle = (c: Context<HttpEnv>) => Response | Promise<Response>;

export interface Route extends Description {
  readonly method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  /** Below the server's path, in Hono's notation, such as `/channels/:channel/messages`; empty is the path itself. */
  readonly path: string;
  readonly handle: Handle;
}

export interface Description {
  /** A unique name for generated clients, such as `publish`. */
  readonly id: string;
  /** Says in a few words what the route does. */
  readonly summary: string;
  readonly details?: string;
  /** The group it stands in. */
  readonly tag: Tag;
  /** The action that the caller needs a grant for; `null` for none. */
  readonly needs: Action | null;
  /** The answer names the parts that the caller may not do; only anonymous callers without any grant are refused as a whole. @default false */
  readonly refusesParts?: boolean;
  /** The caller may say who it is otherwise than in a header, and the route looks at that itself. @default false */
  readonly identifies?: boolean;
  /** It changes nothing, though its method is none of those that read: beside cookies the page's origin is enough. @default false */
  readonly onlyListens?: boolean;
  /** The answer depends on who asks, although nothing is needed. @default false */
  readonly speaksOfCaller?: boolean;
  readonly parameters?: readonly Parameters[];
  readonly body?: z.ZodType;
  /** @default false */
  readonly bodyMayBeMissing?: boolean;
  /** @default application/json */
  readonly bodyTypes?: readonly string[];
  /** Answers that are no errors, by status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Errors that this route adds to those that every route may answer with. */
  readonly errors?: readonly ErrorCode[];
}

export const TAGS = {
  messages: "Publish messages, and read what a channel's log holds.",
  state: "Keep a JSON object per channel: newcomers get it, everybody else its changes.",
  locks: "Let one at a time do something: leases with fencing tokens.",
  sequences: "Take unique numbers.",
  channels: "Which channels there are, and who is on them.",
  streams: "Listen over plain HTTP: Server-Sent Events.",
  connections: "Which clients are connected to this node, how they keep up, and how to send them away.",
  access: "Permissions: keys for servers, tokens for users, and why a call is allowed or not.",
  server: "How the server is, and what it offers.",
} as const;

type Tag = keyof typeof TAGS;

interface Parameters {
  readonly in: "path" | "query" | "header";
  /** An object; each member is a parameter, and its JSON Schema that of the value after it was read. */
  readonly schema: z.ZodObject;
}

export interface Answer {
  readonly description: string;
  /** Left out where there is no body, or none of JSON. */
  readonly schema?: z.ZodType;
  /** @default application/json when there is a schema */
  readonly type?: string;
}
