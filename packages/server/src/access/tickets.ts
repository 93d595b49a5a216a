/**
 * Tickets: what a page takes that cannot send headers, as an `EventSource` cannot. A ticket stands for who asked for it and for some
 * channels, and is worth nothing without either. Whoever uses it is looked at again as if he had sent what he sent then.
 */
import type { ChannelName } from "@fanfare/protocol";
import type { Random } from "../clock.js";
import type { Access } from "./access.js";
import { type Credentials, notLoggedIn } from "./credentials.js";
import { ownerOf, type Principal } from "./principal.js";

/** The most characters that all tickets may stand for together, roughly; those used longest ago go first. */
const MAX_CHARACTERS = 16 * 1024 * 1024;
/** The most tickets of one owner. */
const MAX_PER_OWNER = 100;
const TICKET_BYTES = 16;
const REMEDY = "Take a new ticket: POST {path}/tickets.";

export interface Ticket {
  readonly principal: Principal;
  readonly credentials: Credentials;
  readonly channels: readonly ChannelName[];
}

interface Held extends Ticket {
  /** Whose bound it counts to. */
  readonly holder: string;
  readonly cost: number;
}

export class Tickets {
  readonly #access: Access;
  readonly #random: Random;
  /** Those used longest ago come first. */
  readonly #held = new Map<string, Held>();
  readonly #byHolder = new Map<string, Set<string>>();
  #characters = 0;

  constructor(access: Access, random: Random) {
    this.#access = access;
    this.#random = random;
  }

  /**
   * Makes a ticket.
   *
   * @param place where somebody asked who is nobody: it is his bound
   */
  issue(ticket: Ticket, place: string): string {
    const { principal } = ticket;
    const holder = principal.kind === "nobody" ? `nobody ${place}` : ownerOf(principal);
    const name = Buffer.from(this.#random.bytes(TICKET_BYTES)).toString("base64url");
    const cost = costOf(ticket);
    const own = this.#byHolder.get(holder) ?? new Set();
    this.#byHolder.set(holder, own);
    own.add(name);
    this.#held.set(name, { ...ticket, holder, cost });
    this.#characters += cost;
    if (own.size > MAX_PER_OWNER) this.#dropFirst(own);
    while (this.#characters > MAX_CHARACTERS) this.#dropFirst(this.#held.keys());
    return name;
  }

  /**
   * Who holds a ticket, as of now.
   *
   * @param from whose refused log-ins are counted
   * @throws FanfareError `not_logged_in` when it is none, or what it stands for is over; `rate_limited`, `unavailable`
   */
  async use(name: string, from: string | null): Promise<Ticket> {
    const held = this.#held.get(name);
    // Nobody guesses 128 bits.
    if (!held)
      throw notLoggedIn("the ticket is not known: it was not made here, or not used for long", REMEDY);
    if (!this.#access.current(held.principal)) {
      this.#drop(name);
      throw notLoggedIn("the ticket is over: its key or token was revoked, or its user logged out", REMEDY);
    }
    const principal = await this.#access.authenticate({ ...held.credentials, from });
    if (ownerOf(principal) !== ownerOf(held.principal)) {
      this.#drop(name);
      throw notLoggedIn("the ticket is over: its session is", REMEDY);
    }
    // To the end: it is the one that was used last.
    if (this.#held.delete(name)) {
      this.#held.set(name, held);
      const own = this.#byHolder.get(held.holder);
      if (own?.delete(name)) own.add(name);
    }
    return { principal, credentials: held.credentials, channels: held.channels };
  }

  #dropFirst(names: Iterable<string>): void {
    for (const name of names) {
      this.#drop(name);
      return;
    }
  }

  #drop(name: string): void {
    const held = this.#held.get(name);
    if (!held) return;
    this.#held.delete(name);
    this.#characters -= held.cost;
    const own = this.#byHolder.get(held.holder);
    own?.delete(name);
    if (own?.size === 0) this.#byHolder.delete(held.holder);
  }
}

/** What it takes in memory, in characters; roughly. */
function costOf({ credentials: { token = "", csrf = "", request }, channels }: Ticket): number {
  let cost = 200 + token.length + csrf.length;
  for (const channel of channels) cost += channel.length;
  if (!request) return cost;
  const { url, headers } = request();
  cost += url.length;
  for (const [name, value] of headers) cost += name.length + value.length;
  return cost;
}
