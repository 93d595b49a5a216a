/**
 * Is what was opened still where it was opened? Files that were removed or replaced can be written for ever, and nothing of it is
 * found again: so this looks at them now and then. Knows neither the store nor the lock.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { FanfareError } from "@fanfare/protocol";

export const PUT_BACK =
  "Put back the same folder (a copy is another one), or stop the server, restore a backup (docs/storage.md) and start it again. Messages are still read from the files that are open.";

interface Opened {
  readonly path: string;
  readonly identity: string;
}

export class Place {
  readonly #opened: readonly Opened[];
  #gone: string | null = null;

  private constructor(opened: readonly Opened[]) {
    this.#opened = opened;
  }

  /** @param names files in the folder that have been opened; those that are not there are not looked after */
  static async of(folder: string, names: readonly string[]): Promise<Place> {
    const paths = names.map((name) => join(folder, name));
    const found = await Promise.all(paths.map(async (path) => ({ path, identity: await identityOf(path) })));
    return new Place(found.flatMap(({ path, identity }) => (identity === null ? [] : [{ path, identity }])));
  }

  /** What is not there any more, as a sentence; `null` while all is. */
  get gone(): string | null {
    return this.#gone;
  }

  /** Looks again. Never throws. */
  async look(): Promise<void> {
    let gone: string | null = null;
    for (const { path, identity } of this.#opened) {
      const present = await identityOf(path);
      if (present === identity) continue;
      gone = `${path} was ${present === null ? "removed" : "replaced"} while it was in use`;
      break;
    }
    this.#gone = gone;
  }

  /** @throws FanfareError `unavailable` */
  assertThere(): void {
    if (this.#gone === null) return;
    // For publishers, who cannot mend it and need not know where it is: the log says that.
    const what = "the place where the server keeps messages was removed or replaced, so it takes none";
    throw new FanfareError("unavailable", what, {
      remedy: "Try again later. The log of the server says what its operator has to do.",
    });
  }
}

/** `null` where nothing can be found. */
async function identityOf(path: string): Promise<string | null> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    return null;
  }
}
