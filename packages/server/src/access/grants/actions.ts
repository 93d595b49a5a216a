/** Everything that somebody may be allowed to do. Later features add rows; tests and documents are made from this table. */

/** The object of an action: one channel, or the server as a whole. */
type Scope = "channel" | "server";

export interface ActionMeaning {
  readonly on: Scope;
  /** Completes "may …". */
  readonly meaning: string;
  /** Completes "may … order:42"; of the server as a whole it completes "may …". */
  readonly does: string;
}

export const ACTIONS = {
  subscribe: { on: "channel", meaning: "hear what is published from now on", does: "subscribe to" },
  publish: { on: "channel", meaning: "publish messages", does: "publish on" },
  patch: { on: "channel", meaning: "change the state", does: "change the state of" },
  history: { on: "channel", meaning: "read what the log holds, and the state", does: "read the history of" },
  lock: { on: "channel", meaning: "take locks, and let go of them", does: "take the lock" },
  sequence: { on: "channel", meaning: "take numbers of a sequence", does: "take numbers of" },
  presence: { on: "channel", meaning: "see who is there", does: "see who is on" },
  token: {
    on: "channel",
    meaning: "make tokens for users, with grants that lie within one's own",
    does: "make tokens for",
  },
  admin: {
    on: "server",
    meaning: "look after the server: its keys, channels, connections, users and figures",
    does: "administer this server",
  },
} as const satisfies Record<string, ActionMeaning>;

export type Action = keyof typeof ACTIONS;

/** Stands for every action on channels, those of later versions included. Grants have to name actions on the server. */
export const EVERY_ACTION = "*";

export const CHANNEL_ACTIONS: readonly Action[] = actionsOn("channel");

export function isAction(text: string): text is Action {
  return Object.hasOwn(ACTIONS, text);
}

function actionsOn(scope: Scope): Action[] {
  return Object.entries(ACTIONS).flatMap(([name, { on }]) => (on === scope && isAction(name) ? [name] : []));
}
