/**
 * The members on one channel, as all nodes together say, and the changes since the last announcement. Knows neither time nor
 * subscriptions.
 */
import { memberText, type Present, type Word } from "../terms/member.js";

/** How many members all rosters of a node may have together. */
export interface Room {
  used: number;
  readonly most: number;
}

/** The changes since the last announcement, as texts of JSON arrays. */
export interface Changes {
  readonly joined: string;
  readonly left: string;
}

interface Entry {
  words: readonly Word[];
  text: string;
}

interface Pending {
  /** What was announced of this member; `null`: that he is not there. */
  readonly announced: string | null;
  /** Which change it was. */
  readonly change: number;
}

export class Roster {
  readonly #room: Room;
  readonly #members = new Map<string, Entry>();
  /** Members that have changed since the last announcement. */
  #pending = new Map<string, Pending>();
  /** Counts the changes. */
  #change = 0;
  /** The last change when somebody was given the list. */
  #told = 0;
  #bytes = 0;

  constructor(room: Room) {
    this.#room = room;
  }

  get count(): number {
    return this.#members.size;
  }

  /** Characters of all members as JSON. */
  get bytes(): number {
    return this.#bytes;
  }

  get changed(): boolean {
    return this.#pending.size > 0;
  }

  ids(): Iterable<string> {
    return this.#members.keys();
  }

  /** The member as JSON text. */
  text(id: string): string | undefined {
    return this.#members.get(id)?.text;
  }

  /** Since when the member has been there, as far as nodes have said by now: milliseconds since 1970. */
  since(id: string): number | undefined {
    const words = this.#members.get(id)?.words;
    return words && Math.min(...words.map(({ present }) => present.since));
  }

  /** A node says that somebody is there. False when there is no room for one more. */
  put(node: string, present: Present): boolean {
    const { id } = present;
    const entry = this.#members.get(id);
    if (!entry && this.#room.used >= this.#room.most) return false;
    const others = entry ? entry.words.filter((word) => word.node !== node) : [];
    this.#set(id, entry, [...others, { node, present }]);
    return true;
  }

  /** A node says that somebody is there no more. */
  delete(node: string, id: string): void {
    const entry = this.#members.get(id);
    if (!entry) return;
    const words = entry.words.filter((word) => word.node !== node);
    if (words.length < entry.words.length) this.#set(id, entry, words);
  }

  /** A node is gone, or says anew who is there: forgets what it said of others than these. */
  keepOf(node: string, ids: ReadonlySet<string>): void {
    for (const [id, { words }] of this.#members) {
      if (!ids.has(id) && words.some((word) => word.node === node)) this.delete(node, id);
    }
  }

  /** The list, as texts of JSON arrays with at most this many characters each; somebody is given it. */
  list(maxBytes: number): string[] {
    this.#told = this.#change;
    const pages: string[] = [];
    let page: string[] = [];
    let bytes = 0;
    for (const { text } of this.#members.values()) {
      if (page.length > 0 && bytes + text.length > maxBytes) {
        pages.push(`[${page.join()}]`);
        page = [];
        bytes = 0;
      }
      page.push(text);
      bytes += text.length + 1;
    }
    pages.push(`[${page.join()}]`);
    return pages;
  }

  /** A client that was given a list since the last announcement is gone. */
  untell(): void {
    this.#told = 0;
  }

  /**
   * The changes since the last time. A client that came and went in between is not in it, unless a list was given
   * meanwhile in which
   * he may have been.
   *
   * @param maxBytes the most characters; `null` when there is more
   */
  take(maxBytes: number): Changes | null {
    const joined: string[] = [];
    const left: string[] = [];
    let bytes = 0;
    for (const [id, { announced, change }] of this.#pending) {
      const text = this.#members.get(id)?.text;
      if (text === (announced ?? undefined) && change > this.#told) continue;
      if (text !== undefined) joined.push(text);
      else left.push(JSON.stringify(id));
      bytes += (text ?? id).length + 3;
      if (bytes > maxBytes) break;
    }
    this.#pending = new Map();
    return bytes > maxBytes ? null : { joined: `[${joined.join()}]`, left: `[${left.join()}]` };
  }

  #set(id: string, entry: Entry | undefined, words: readonly Word[]): void {
    const before = entry?.text ?? null;
    const text = words.length === 0 ? null : memberText(words);
    if (entry && text !== null) {
      entry.words = words;
      entry.text = text;
    } else if (text !== null) {
      this.#members.set(id, { words, text });
      this.#room.used++;
    } else {
      this.#members.delete(id);
      this.#room.used--;
    }
    if (text === before) return;
    this.#bytes += (text?.length ?? 0) - (before?.length ?? 0);
    this.#change++;
    if (!this.#pending.has(id)) this.#pending.set(id, { announced: before, change: this.#change });
  }
}
