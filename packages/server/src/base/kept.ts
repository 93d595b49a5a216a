/**
 * Does something at the first call, and keeps what came of it. Where it fails, the next call tries anew: a failure must not outlast its
 * cause.
 */
export function kept<Value>(work: () => Promise<Value>): () => Promise<Value> {
  let begun: Promise<Value> | null = null;
  return () => {
    if (begun) return begun;
    const begins = work();
    begun = begins;
    begins.catch(() => {
      if (begun === begins) begun = null;
    });
    return begins;
  };
}
