/**
 * Tickets: what a page takes that cannot send headers, as an `EventSource` cannot. A ticket stands for its caller and for some channels, and
 * is worth nothing without either. They lie in a space of the engine, so that every node accepts them, and none accepts one that another node
 * has ended. A client that uses one is looked at again as if it had sent what it sent then.
 */
import { createHash } from "node:crypto";
import { type ChannelName, FanfareError } from "@fanfare/protocol";
import type { Clock, Random } from "../base/clock.js";
import type { Space } from "../engine/space.js";
import type { Access } from "./access.js";
import { type Credentials, notLoggedIn } from "./grants/credentials.js";
import { ownerOf, type Principal } from "./grants/principal.js";
import { seal, unseal } from "./sealed.js";

/** The name of the space, whose values may be lost with the process. */
export const TICKETS_SPACE = "tickets";
/** The most characters that all tickets of a node may stand for together, roughly; those used longest ago go first. */
const MAX_CHARACTERS = 16 * 1024 * 1024;
/** The most tickets of one owner, and of the characters. */
const MAX_PER_OWNER = 100;
const MAX_CHARACTERS_PER_OWNER = MAX_CHARACTERS / 4;
const TICKET_BYTES = 16;
/** Each try fails only because another call has changed the same meanwhile. */
const MAX_TRIES = 50;
const REMEDY = "Take a new ticket: POST {path}/tickets.";

export interface Ticket {
  readonly principal: Principal;
  readonly credentials: Credentials;
  readonly channels: readonly ChannelName[];
}

/** What lies in the space under a ticket's digest. */
interface Stored {
  /** The digest of the owner whose bound it counts to. */
  readonly holder: string;
  /** How often it was used: each use is a change. */
  readonly uses: number;
  /** A {@link Content} that only the ticket opens: it has tokens and cookies in it. */
  readonly sealed: string;
}

interface Content {
  readonly owner: string;
  /** The user, where the owner is one. */
  readonly user: string | null;
  /** When it was made: milliseconds since 1970. */
  readonly made: number;
  readonly token: string | undefined;
  readonly csrf: string | undefined;
  readonly request: StoredRequest | null;
  readonly channels: readonly ChannelName[];
}

interface StoredRequest {
  readonly url: string;
  readonly host: string;
  readonly headers: readonly [string, string][];
}

/** The tickets of one owner by their digests, with their costs; those used longest ago come first. */
type Own = readonly (readonly [id: string, cost: number])[];

/** What is asked about those who come with a ticket. */
type Asked = Pick<Access, "authenticate" | "loggedOutSince">;

export interface TicketsParts {
  readonly access: Asked;
  readonly space: Space;
  readonly clock: Clock;
  readonly random: Random;
}

export class Tickets {
  readonly #access: Asked;
  readonly #space: Space;
  readonly #clock: Clock;
  readonly #random: Random;
  /** Those that this node has made; those used longest ago come first. */
  readonly #made = new Map<string, { readonly holder: string; readonly cost: number }>();
  #characters = 0;
  /** What is under way for an owner. */
  readonly #changing = new Map<string, Promise<unknown>>();

  constructor({ access, space, clock, random }: TicketsParts) {
    this.#access = access;
    this.#space = space;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Makes a ticket.
   *
   * @param place where an anonymous caller asked: it has the bound
   * @throws FanfareError `unavailable`
   */
  async issue({ principal, credentials, channels }: Ticket, place: string): Promise<string> {
    const owner = ownerOf(principal);
    const holder = digestOf(principal.kind === "nobody" ? `anonymous ${place}` : owner);
    const { token, csrf } = credentials;
    const request = storedRequest(credentials);
    const user = principal.kind === "user" ? principal.user : null;
    const content: Content = { owner, user, made: this.#clock.now(), token, csrf, request, channels };
    const name = Buffer.from(this.#random.bytes(TICKET_BYTES)).toString("base64url");
    const id = digestOf(name);
    const cost = costOf(content);
    const sealed = seal(name, JSON.stringify(content), this.#random);
    const stored: Stored = { holder, uses: 0, sealed };
    await this.#ask(this.#space.compareAndSet(ticketAt(id), null, JSON.stringify(stored)));
    this.#made.set(id, { holder, cost });
    this.#characters += cost;
    const { dropped } = await this.#changeOwn(holder, (own) => [...own, [id, cost]]);
    for (const other of dropped) await this.#remove(other);
    for (const [other, { holder: of }] of this.#made) {
      if (this.#characters <= MAX_CHARACTERS) break;
      await this.#drop(other, of);
    }
    return name;
  }

  /**
   * Who holds a ticket, as of now. Several uses at once are one after the other; none is accepted once a node has ended the ticket.
   *
   * @param from whose refused log-ins are counted
   * @throws FanfareError `not_logged_in` when it is none, or what it stands for is over; `rate_limited`, `unavailable`
   */
  async use(name: string, from: string | null): Promise<Ticket> {
    const id = digestOf(name);
    const { stored, content } = await this.#find(id, name);
    const { holder } = stored;
    const { owner, user, made, token, csrf, request, channels } = content;
    const credentials = { token, csrf, ...(request && { request: () => requestOf(request) }) };
    const principal = await this.#access.authenticate({ ...credentials, from });
    if (user !== null && this.#access.loggedOutSince(user, made)) {
      await this.#drop(id, holder);
      throw notLoggedIn("the ticket is over: its user logged out", REMEDY);
    }
    if (ownerOf(principal) !== owner) {
      await this.#drop(id, holder);
      throw notLoggedIn("the ticket is over: its session is", REMEDY);
    }
    await this.#used(id, name);
    await this.#moveToEnd(id, holder);
    return { principal, credentials, channels };
  }

  /** @throws FanfareError `not_logged_in` */
  async #find(id: string, name: string): Promise<{ text: string; stored: Stored; content: Content }> {
    const text = await this.#ask(this.#space.get(ticketAt(id)));
    const stored = text === null ? null : (JSON.parse(text) as Stored);
    // 128 bits cannot be guessed.
    const opened = stored && unseal(name, stored.sealed);
    if (text !== null && stored && opened !== null)
      return { text, stored, content: JSON.parse(opened) as Content };
    throw notLoggedIn("the ticket is not known: it was ended, or not used for long", REMEDY);
  }

  /** Counts the use, if the ticket is still there. @throws FanfareError `not_logged_in` */
  async #used(id: string, name: string): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const { text, stored } = await this.#find(id, name);
      const next = JSON.stringify({ ...stored, uses: stored.uses + 1 });
      if (await this.#ask(this.#space.compareAndSet(ticketAt(id), text, next))) return;
    }
    throw busy();
  }

  /** It is the one that was used last. */
  async #moveToEnd(id: string, holder: string): Promise<void> {
    const mine = this.#made.get(id);
    if (mine && this.#made.delete(id)) this.#made.set(id, mine);
    await this.#changeOwn(holder, (own) => [
      ...own.filter(([other]) => other !== id),
      ...own.filter(([other]) => other === id),
    ]);
  }

  async #drop(id: string, holder: string): Promise<void> {
    await this.#changeOwn(holder, (own) => own.filter(([other]) => other !== id));
    await this.#remove(id);
  }

  async #remove(id: string): Promise<void> {
    this.#characters -= this.#made.get(id)?.cost ?? 0;
    this.#made.delete(id);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const text = await this.#ask(this.#space.get(ticketAt(id)));
      if (text === null || (await this.#ask(this.#space.compareAndSet(ticketAt(id), text, null)))) return;
    }
    throw busy();
  }

  /** One after the other for each owner: else many at once would get in each other's way. */
  async #changeOwn(holder: string, change: (own: Own) => Own): Promise<{ dropped: string[] }> {
    const before = this.#changing.get(holder) ?? Promise.resolve();
    const changed = before.then(() => this.#setOwn(holder, change));
    const settled = changed.catch(() => {});
    this.#changing.set(holder, settled);
    try {
      return await changed;
    } finally {
      if (this.#changing.get(holder) === settled) this.#changing.delete(holder);
    }
  }

  /** @returns those that have to go, since there are too many */
  async #setOwn(holder: string, change: (own: Own) => Own): Promise<{ dropped: string[] }> {
    const key = `owner ${holder}`;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const text = await this.#ask(this.#space.get(key));
      const all = change(text === null ? [] : (JSON.parse(text) as Own));
      let [count, characters] = [all.length, all.reduce((sum, [, cost]) => sum + cost, 0)];
      const dropped: string[] = [];
      for (const [id, cost] of all) {
        if (count <= MAX_PER_OWNER && characters <= MAX_CHARACTERS_PER_OWNER) break;
        dropped.push(id);
        count--;
        characters -= cost;
      }
      const rest = all.slice(dropped.length);
      const next = rest.length === 0 ? null : JSON.stringify(rest);
      if (next === text || (await this.#ask(this.#space.compareAndSet(key, text, next)))) return { dropped };
    }
    throw busy();
  }

  /** @throws FanfareError `unavailable` */
  async #ask<Answer>(asked: Promise<Answer>): Promise<Answer> {
    try {
      return await asked;
    } catch (cause) {
      throw new FanfareError("unavailable", "the place of the tickets cannot be reached", { cause });
    }
  }
}

function busy(): FanfareError {
  return new FanfareError("unavailable", "the ticket is used too often at once", { retryAfterSeconds: 1 });
}

function ticketAt(id: string): string {
  return `ticket ${id}`;
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

function storedRequest({ request }: Credentials): StoredRequest | null {
  if (!request) return null;
  const { url, host, headers } = request();
  return { url, host, headers: [...headers] };
}

function requestOf({ url, host, headers }: StoredRequest) {
  return { url, host, headers: new Headers(headers.map(([name, value]) => [name, value])) };
}

/** What it takes in memory, in characters; roughly. */
function costOf({ token = "", csrf = "", request, channels }: Content): number {
  let cost = 200 + token.length + csrf.length;
  for (const channel of channels) cost += channel.length;
  if (!request) return cost;
  cost += request.url.length;
  for (const [name, value] of request.headers) cost += name.length + value.length;
  return cost;
}
