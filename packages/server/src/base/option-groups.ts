/** Checks a group of options, such as `limits`, by its schema: in code as in a file, with the same values allowed. */
import { shown } from "@fanfare/protocol";
import type { z } from "zod";
import { checkOptions } from "./known-names.js";
import { descriptionOf } from "./option.js";

/**
 * All options of the group: those that are left out, or `undefined`, have their defaults.
 *
 * @param where how the group is called
 * @throws TypeError, which names the option, its value and what may be given
 */
export function checkedGroup<Group extends z.ZodObject>(
  where: string,
  group: Group,
  given: object,
): z.output<Group> {
  checkOptions(where, given, Object.keys(group.shape));
  const result = group.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const name = String(issue?.path[0]);
  const option = group.shape[name];
  const allowed = option && descriptionOf(option)?.allowed;
  throw new TypeError(`${where}.${name} is ${shown(Reflect.get(given, name))}. Give ${allowed}.`);
}
