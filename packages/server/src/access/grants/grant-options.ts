/** Grants as options: lists that are written in code or in a file. */
import { z } from "zod";
import { described } from "../../base/option.js";
import { explain } from "../../base/option-checks.js";
import { ACTIONS, type Action, EVERY_ACTION } from "./actions.js";
import { Grants } from "./grants.js";

const NAMES = [...Object.keys(ACTIONS), EVERY_ACTION] as (Action | typeof EVERY_ACTION)[];

const GRANT = z.strictObject({
  channels: described(z.string(), {
    text: "The channels that it is for. `*` stands for one segment, `**` for one or more at the end, `{sub}` for the id of the user.",
    allowed: "a pattern such as order:*, user:{sub}:** or broadcast",
  }),
  actions: described(z.array(z.enum(NAMES)), {
    text: "The actions that it allows; `*` is every action on channels.",
    allowed: `a list of ${Object.keys(ACTIONS).join(", ")} or *`,
  }),
});

/** @param user stands for `{sub}`; `null` where there is no user */
export function grantsOption(user: string | null) {
  return z.array(GRANT).superRefine((grants, context) => explain(context, () => new Grants(grants, user)));
}
