/** The progress of a long job, in every window; one that comes late sees the newest at once. */
import { Progress as Bar, Button } from "@mantine/core";
import { useEffect, useState } from "react";
import { Demo } from "../parts/Demo";
import { Feedback } from "../parts/Feedback";
import { usePublish } from "../parts/use-publish";
import { CHANNELS, client } from "../push/fanfare";
import { type Progress, readProgress } from "../push/payloads";
import { progressCall, runJob } from "./job";
import classes from "./ProgressDemo.module.css";

/** A job that has said nothing for this long has died. */
const SILENT_AFTER_MS = 3000;

const CODE = `import { createClient } from "@fanfare/client";
const client = createClient({ url: "/push" });

// Each change, and, for a window that comes late, the present value.
client.subscribe("job:demo", () => {}, {
  onState: ({ state }) => show(state?.percent ?? 0, state?.label),
});`;

export function ProgressDemo() {
  const { progress, isRunning } = useProgress();
  const { outcome, refuse } = usePublish();
  const [isOurs, setOurs] = useState(false);

  const isBlocked = isOurs || isRunning;

  async function start() {
    // Not `disabled`: a button that is takes the focus away from the user who pressed it.
    if (isBlocked) return;
    setOurs(true);
    try {
      await runJob();
    } catch (error) {
      refuse(error instanceof Error ? error.message : String(error));
    } finally {
      setOurs(false);
    }
  }

  return (
    <Demo
      title="Progress of a long job"
      channel={CHANNELS.job}
      lead="The bar moves in every window. It is the state of a channel, so a window that is opened in the middle of it shows the present value at once."
      calls={[{ name: "A step", call: progressCall(40, "Calculating") }]}
      code={CODE}
    >
      <div className={classes.words}>
        <strong>{progress?.label || (progress ? "Working" : "Nothing has run yet")}</strong>
        <span className="steady">{progress?.percent ?? 0} %</span>
      </div>
      <Bar.Root size={18} radius="xl" transitionDuration={180}>
        <Bar.Section
          value={progress?.percent ?? 0}
          color={progress?.percent === 100 ? "var(--good)" : "var(--brass)"}
          aria-label="Progress of the job"
        />
      </Bar.Root>
      <div className={classes.actions}>
        <Button onClick={() => void start()} aria-disabled={isBlocked} data-disabled={isBlocked}>
          {isBlocked ? "The job runs …" : "Start the job"}
        </Button>
        <Feedback outcome={outcome} />
      </div>
    </Demo>
  );
}

function useProgress(): { progress: Progress | null; isRunning: boolean } {
  const [progress, setProgress] = useState<Progress | null>(null);
  const [isRunning, setRunning] = useState(false);
  useEffect(() => {
    let silent = 0;
    const subscription = client.subscribe(CHANNELS.job, () => {}, {
      onState: ({ state, patch }) => {
        const next = state && readProgress(state);
        setProgress(next);
        // What was there before we came may be all that a job has left behind.
        setRunning(patch !== null && next !== null && next.percent < 100);
        clearTimeout(silent);
        silent = window.setTimeout(() => setRunning(false), SILENT_AFTER_MS);
      },
    });
    return () => {
      clearTimeout(silent);
      subscription.unsubscribe();
    };
  }, []);
  return { progress, isRunning };
}
