/** The members that are present: one for all connections of a user; where there is no user, one for each session. */

/** Somebody who attends a channel, as the door knows them. */
export interface Attendant {
  /** The same for all connections of one member, on every node; no secret. */
  readonly id: string;
  /** The user's id, where he is known. */
  readonly user?: string;
  /** The application's words about them, as JSON text. */
  readonly info?: string;
}

/** A subscription, as the presence of its channel sees it. */
export interface Attendance {
  /** `null`: its client is not shown, and does not count. */
  readonly attendant: Attendant | null;
  /** May it see who is there? */
  readonly watches: boolean;
}

/** A member as one node knows him from its own connections. */
export interface Present extends Attendant {
  /** When he came: milliseconds since 1970. */
  readonly since: number;
  /** When `info` was last set: of several nodes the newest counts. */
  readonly at: number;
}

/** One node's word on a member. */
export interface Word {
  readonly node: string;
  readonly present: Present;
}

/** Joins what several nodes know of one member, as JSON text of a {@link Member}. The first says when they came, the last who they are. */
export function memberText(words: readonly Word[]): string {
  const [first, ...others] = words;
  if (!first) throw new TypeError("a member whom no node knows");
  let newest = first;
  let { since } = first.present;
  for (const word of others) {
    since = Math.min(since, word.present.since);
    if (isNewer(word, newest)) newest = word;
  }
  const { id, user, info } = newest.present;
  const userText = user === undefined ? "" : `,"user":${JSON.stringify(user)}`;
  const infoText = info === undefined ? "" : `,"info":${info}`;
  return `{"id":${JSON.stringify(id)}${userText}${infoText},"since":${since}}`;
}

/** Every node has to come to the same answer, so a tie is decided by their names. */
function isNewer(a: Word, b: Word): boolean {
  return a.present.at === b.present.at ? a.node > b.node : a.present.at > b.present.at;
}
