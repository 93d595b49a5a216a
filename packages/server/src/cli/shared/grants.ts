/** Grants on the command line: `--channel 'order:*' --action subscribe,history`. */
import { checkedGrants, type Grant } from "../../access/grants/grants.js";
import { UsageError } from "../../base/usage-error.js";

export const grantArguments = {
  channel: {
    type: "string",
    description: "Pattern of channels, such as 'order:*'; can be given several times",
    valueHint: "pattern",
    several: true,
  },
  action: {
    type: "string",
    description: "What is allowed there, separated by commas",
    valueHint: "actions",
  },
} as const;

/**
 * @param raw the arguments as they were given, since a flag may be there several times
 * @param user whom `{sub}` stands for
 * @throws FanfareError `invalid_grants`, UsageError
 */
export function grantsIn(raw: readonly string[], action: string, user: string | null): readonly Grant[] {
  const actions = action.split(",").map((each) => each.trim());
  const patterns = valuesOf(raw, "--channel");
  if (patterns.length === 0 && valuesOf(raw, "--action").length > 0) {
    throw new UsageError(
      "--action is given without --channel",
      "Say on which channels, such as --channel 'order:*', or --channel '**' for all.",
    );
  }
  return checkedGrants(
    patterns.map((channels) => ({ channels, actions })),
    user,
  );
}

function valuesOf(raw: readonly string[], flag: string): string[] {
  return raw.flatMap((argument, index) => {
    if (argument === flag) return [raw[index + 1] ?? ""];
    return argument.startsWith(`${flag}=`) ? [argument.slice(flag.length + 1)] : [];
  });
}
