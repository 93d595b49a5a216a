/** Everything that somebody may be allowed to do. Later features add rows; tests and documents are made from this table. */

/** What an action is about: one channel, or the server as a whole. */
export type Scope = "channel" | "server";

export interface ActionMeaning {
  readonly on: Scope;
  /** Completes "may …". */
  readonly meaning: string;
}

export const ACTIONS = {
  subscribe: { on: "channel", meaning: "hear what is published from now on" },
  publish: { on: "channel", meaning: "publish messages" },
  patch: { on: "channel", meaning: "change the state" },
  history: { on: "channel", meaning: "read what the log holds, and the state" },
  lock: { on: "channel", meaning: "take locks, and let go of them" },
  sequence: { on: "channel", meaning: "take numbers of a sequence" },
  presence: { on: "channel", meaning: "see who is there" },
  token: { on: "channel", meaning: "make tokens for users, with grants that lie within one's own" },
  admin: {
    on: "server",
    meaning: "look after the server: its keys, channels, connections, users and figures",
  },
} as const satisfies Record<string, ActionMeaning>;

export type Action = keyof typeof ACTIONS;

/** Stands for every action on channels, those of later versions included. What is about the server has to be named. */
export const EVERY_ACTION = "*";

export const CHANNEL_ACTIONS: readonly Action[] = actionsOn("channel");

export function isAction(text: string): text is Action {
  return Object.hasOwn(ACTIONS, text);
}

function actionsOn(scope: Scope): Action[] {
  return Object.entries(ACTIONS).flatMap(([name, { on }]) => (on === scope && isAction(name) ? [name] : []));
}
