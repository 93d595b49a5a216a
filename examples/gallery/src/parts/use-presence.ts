/** The members on a channel, in a component, and in words the last change. */
import type { PresenceChange } from "@fanfare/client";
import { useEffect, useState } from "react";
import { client } from "../push/fanfare";
import { nameOf } from "../push/window-names";

export interface Here {
  /** `null` until the server has told it, or when it does not. */
  readonly presence: PresenceChange | null;
  /** The members who came and left the last time; empty at first. */
  readonly news: string;
}

/** More names than this are told as a number. */
const NAMED = 3;

export function usePresence(channel: string): Here {
  const [here, setHere] = useState<Here>({ presence: null, news: "" });
  useEffect(() => {
    const subscription = client.subscribe(channel, () => {}, {
      onPresence: (presence) =>
        setHere((before) => ({
          presence,
          // At first all have joined, which is no news.
          news: before.presence ? inWords(presence) || before.news : "",
        })),
    });
    return () => subscription.unsubscribe();
  }, [channel]);
  return here;
}

/** @example "Ada 42 came. Alan 17 left." */
function inWords({ joined, left }: PresenceChange): string {
  return [...sentence(joined, "came"), ...sentence(left, "left")].join(" ");
}

function sentence(members: PresenceChange["joined"], verb: string): string[] {
  const others = members.filter(({ id }) => id !== client.memberId);
  if (others.length === 0) return [];
  const names =
    others.length > NAMED ? `${others.length} windows` : others.map(({ id }) => nameOf(id)).join(", ");
  return [`${names} ${verb}.`];
}
