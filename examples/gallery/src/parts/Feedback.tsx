/** How the last press of a button went. Its line is always there, so that nothing moves. */
import { useCut } from "../push/fanfare";
import classes from "./Feedback.module.css";
import type { Outcome } from "./use-publish";

export function Feedback({ outcome }: { outcome: Outcome | null }) {
  const isCut = useCut();
  const isAway = isCut && outcome !== null && !outcome.isError;
  return (
    <p role="status" className={classes.feedback} data-error={outcome?.isError ?? false}>
      {outcome?.text}
      {isAway && " This window is cut off, and does not hear of it."}
    </p>
  );
}
