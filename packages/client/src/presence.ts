/** The members on a channel, as the server tells them, and their changes for one handler. */
import type { Member } from "@fanfare/protocol";
import type { Presence } from "./types.js";

/** The parts of a `presence` frame, and of the `presence` in `subscribed`, that matter here. */
export interface PresenceNews {
  readonly count: number;
  readonly joined?: readonly Member[];
  readonly left?: readonly string[];
  readonly members?: readonly Member[];
  readonly page?: number;
  readonly more?: boolean;
}

/** The members after the news; see PROTOCOL.md, section 5.7. */
export class Follower {
  #members: Map<string, Member> | null = null;
  /** The pages of a list that is not complete. */
  #pages: Member[] = [];

  /** @returns `null` when there is more to come before it says anything */
  hear({ count, joined = [], left = [], members, page = 0, more }: PresenceNews): Presence | null {
    if (members) {
      this.#pages = page > 0 ? [...this.#pages, ...members] : [...members];
      if (more) return null;
      this.#members = byId(this.#pages);
      this.#pages = [];
    } else if (joined.length + left.length === 0) this.#members = null;
    for (const member of joined) this.#members?.set(member.id, member);
    for (const id of left) this.#members?.delete(id);
    return { count, members: this.#members && [...this.#members.values()] };
  }
}

/** Those whom one handler has been told of. */
export class Told {
  #members = new Map<string, Member>();

  /** Members that have come and gone since the last time. While members are not known, none has. */
  changes(members: readonly Member[] | null): { readonly joined: Member[]; readonly left: Member[] } {
    if (!members) return { joined: [], left: [] };
    const before = this.#members;
    const now = byId(members);
    this.#members = now;
    return {
      joined: members.filter(({ id }) => !before.has(id)),
      left: [...before.values()].filter(({ id }) => !now.has(id)),
    };
  }
}

function byId(members: readonly Member[]): Map<string, Member> {
  return new Map(members.map((member) => [member.id, member]));
}
