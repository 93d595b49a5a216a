/** A job that takes its time, and says so: stands for what a server would do. */
import { type Change, patch } from "../push/calls";
import { CHANNELS } from "../push/fanfare";

const TAKES_MS = 6000;
const STEP_MS = 150;
const STAGES = ["Reading", "Sorting", "Calculating", "Writing"] as const;

export function progressCall(percent: number, label: string): Change {
  return { channel: CHANNELS.job, patch: { percent, label } };
}

/** @throws Error when a step could not be said */
export async function runJob(): Promise<void> {
  const begun = performance.now();
  for (;;) {
    // By the clock, not by counting steps: browsers slow the timers of hidden windows down.
    const done = Math.min(1, (performance.now() - begun) / TAKES_MS);
    const stage = done === 1 ? "Done" : STAGES[Math.floor(done * STAGES.length)];
    await patch(progressCall(Math.round(done * 100), stage ?? "Working"));
    if (done === 1) return;
    await new Promise((resume) => setTimeout(resume, STEP_MS));
  }
}
