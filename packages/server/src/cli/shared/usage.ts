/** The help of a command: its usage, and below it what an operator wants to know next. */
import { type ArgsDef, type CommandDef, renderUsage, type runMain } from "citty";

const MORE: Readonly<Record<string, string>> = {
  fanfare: `To try things out:  fanfare dev
For real use:       export FANFARE_API_KEY=$(openssl rand -hex 24); fanfare start
To publish:         fanfare publish hello '"Hello, world"'
For browsers:       export FANFARE_SECRET=$(openssl rand -hex 32); fanfare token --user alice --channel 'order:*'
To configure:       fanfare config shows what is in force, fanfare config --docs what there is

Exit codes: 0 done, 1 failed, 2 called or configured wrongly.`,
  start: `Needs an API key: export FANFARE_API_KEY=$(openssl rand -hex 24)
or a secret for tokens: export FANFARE_SECRET=$(openssl rand -hex 32)

Options come from flags, the environment (FANFARE_PORT and so on), a file fanfare.config.{json,yaml,ts,js}, and defaults, in this
order. Before anything starts, the command lists all mistakes. See what is in force with fanfare config, and all options with
fanfare config --docs. It speaks plain HTTP: TLS is for a proxy in front of it. SIGTERM stops it in good order; SIGHUP reads the
configuration anew, and the log says what of it was taken over.`,
  config: `Takes the flags of fanfare start, and starts nothing. Options come from flags, the environment, a file and defaults, in this order.
API keys and secrets are not shown.`,
  publish: `Give the API key as FANFARE_API_KEY rather than --api-key: other users of the machine see a command's arguments.

  fanfare publish order:42 '{"status": "paid"}' --event paid
  echo '"Hello"' | fanfare publish hello -`,
  token: `Asks the server that runs in dataDir; where none runs, it needs the secret, as FANFARE_SECRET or in the configuration file.

  fanfare token --user alice --channel 'order:*' --channel 'user:{sub}:**'
  fanfare token --user alice --channel 'chat:7' --action subscribe,publish --seconds 600
  fanfare token --user alice --channel 'order:*' --action subscribe,presence --info '{"name": "Alice"}'`,
  key: `Asks the server that runs in dataDir; where none runs, it changes the files there. Keys are kept as hashes.

  fanfare key add shop --channel 'order:*' --action publish
  fanfare key list
  fanfare key revoke 3f2a91c4d5e6`,
  backup: `The folder must not be there yet. It has everything that fanfare restore needs, for this user only. Run it as the user of the server.

  fanfare backup /backups/fanfare-$(date +%F)`,
  restore: `Refuses while a server uses dataDir, when the backup is not whole, and, without --replace, when dataDir holds something.
The backup does not have what clients were told after it, so every channel begins a new epoch.

  fanfare restore /backups/fanfare-2026-01-31`,
  explain: `Exits with 0 when it is allowed, with 1 when it is not, and with 2 when it was called wrongly.

  fanfare explain subscribe order:42 --token "$TOKEN"
  echo "$TOKEN" | fanfare explain publish chat:7 --token -`,
  listen: `Messages go to standard output, what happens to the connection goes to standard error. Ctrl-C stops it.

  fanfare listen order:42 --json`,
};

/** How a command below another is called. */
async function usageOf<T extends ArgsDef>(command: CommandDef<T>, parent?: CommandDef<T>): Promise<string> {
  const meta = await (typeof parent?.meta === "function" ? parent.meta() : parent?.meta);
  const below = meta?.name !== undefined && meta.name !== "fanfare";
  return renderUsage(
    command,
    below ? { ...parent, meta: { ...meta, name: `fanfare ${meta.name}` } } : parent,
  );
}

type ShowUsage = NonNullable<NonNullable<Parameters<typeof runMain>[1]>["showUsage"]>;

export const showUsage: ShowUsage = async (command, parent) => {
  const meta = await (typeof command.meta === "function" ? command.meta() : command.meta);
  const more = MORE[meta?.name ?? ""];
  process.stdout.write(`${await usageOf(command, parent)}\n\n${more === undefined ? "" : `${more}\n`}`);
};
