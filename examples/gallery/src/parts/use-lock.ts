/** A lock in a component: its holder, and this window's own hold on it. */
import type { Lock, LockOptions, LockRecord } from "@fanfare/client";
import { useEffect, useState } from "react";
import { client } from "../push/fanfare";

export interface LockInUse {
  /** This window holds it. */
  readonly lock: Lock | null;
  /** Its holder, as all windows see it. */
  readonly state: LockRecord | null;
  /** @throws ClientError `locked`, `not_connected` */
  take(): Promise<void>;
  release(): Promise<void>;
}

export function useLock(name: string, options: LockOptions): LockInUse {
  const [lock, setLock] = useState<Lock | null>(null);
  const [state, setState] = useState<LockRecord | null>(null);
  useEffect(() => {
    const watching = client.watchLock(name, setState);
    return () => watching.unsubscribe();
  }, [name]);
  return {
    lock,
    state,
    async take() {
      const taken = await client.lock(name, options);
      taken.signal.addEventListener("abort", () => setLock(null));
      setLock(taken);
    },
    async release() {
      setLock(null);
      await lock?.release();
    },
  };
}
