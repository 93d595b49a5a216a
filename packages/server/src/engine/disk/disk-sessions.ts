/** Sessions on the disk. Decides in one synchronous step, then waits for the disk. */
import type { Sessions } from "../sessions.js";
import type { ExpiringTable } from "./expiring-table.js";
import type { Ledger } from "./ledger.js";
import type { Commits } from "./store/commits.js";
import { unlessDamaged } from "./store/table.js";

export class DiskSessions implements Sessions {
  readonly #table: ExpiringTable;
  readonly #ledger: Ledger;
  readonly #commits: Commits;
  readonly #assertOpen: () => void;

  constructor(table: ExpiringTable, ledger: Ledger, commits: Commits, assertOpen: () => void) {
    this.#table = table;
    this.#ledger = ledger;
    this.#commits = commits;
    this.#assertOpen = assertOpen;
  }

  get size(): number {
    return this.#table.size;
  }

  async put(hash: string, json: string, ttlMs: number, owner?: string): Promise<void> {
    this.#assertOpen();
    this.#table.set(hash, Buffer.from(json), this.#ledger.at + ttlMs, owner);
    await this.#commits.flushed();
  }

  async renew(hash: string, ttlMs: number): Promise<boolean> {
    this.#assertOpen();
    const { at } = this.#ledger;
    const isThere = this.#table.renew(hash, at, at + ttlMs);
    await this.#commits.flushed();
    return isThere;
  }

  async take(hash: string): Promise<string | null> {
    this.#assertOpen();
    // A session that cannot be read has ended.
    const session = unlessDamaged(() => this.#table.get(hash, this.#ledger.at));
    this.#table.delete(hash);
    await this.#commits.flushed();
    return session?.toString() ?? null;
  }
}
