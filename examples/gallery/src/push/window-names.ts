/** Names for windows. Users do not log in here, so a name is made of the id that a window has among those who are present. */
import { useSyncExternalStore } from "react";
import { client } from "./fanfare";

const PEOPLE = ["Ada", "Alan", "Barbara", "Edsger", "Grace", "Hedy", "Katherine", "Ken", "Margaret", "Radia"];

/** The same in every window. @example nameOf("session:u3Zr…") // "Grace 17" */
export function nameOf(memberId: string): string {
  const hash = hashOf(memberId);
  const number = Math.floor(hash / PEOPLE.length) % 90;
  return `${PEOPLE[hash % PEOPLE.length]} ${number + 10}`;
}

/** A colour to tell it from others: 0 to 359. */
export function hueOf(memberId: string): number {
  return hashOf(memberId) % 360;
}

/** The id of this window; `null` before it was connected. */
export function useMemberId(): string | null {
  return useSyncExternalStore(
    (listener) => client.on("connection", listener),
    () => client.memberId,
  );
}

/** What the others call this window. */
export function useOwnName(): string {
  const id = useMemberId();
  return id === null ? "Somebody" : nameOf(id);
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}
