/** Reads a log on from one epoch into the next, where the log went on: first the rest of the earlier one, then the next from its beginning. */
import { FanfareError, type Position } from "@fanfare/protocol";
import type { LossReason, Page } from "../../engine/engine.js";

/** A log does not go on this often while somebody reads it. */
const MOST_EPOCHS = 100;

/** A page of the epoch that comes next for a reader. */
export interface PageOn extends Page {
  /** Set with `lost` when the log of the position went on in this one: the reader goes on from its beginning, and not at its head. */
  readonly wentOn?: boolean;
}

/**
 * @param read asks the engine for a page after a position
 * @throws FanfareError `unavailable`
 */
export async function readOn(
  read: (after: Position | null) => Promise<Page>,
  after: Position | null,
): Promise<PageOn> {
  let page = await read(after);
  let reason: LossReason | undefined;
  let seen = after?.offset ?? 0;
  for (let epochs = 0; page.next && !page.messages.some(({ offset }) => offset > seen); epochs++) {
    if (epochs === MOST_EPOCHS)
      throw new FanfareError("unavailable", "the engine names no end of the epochs of a log");
    reason ??= page.next.reason;
    seen = 0;
    page = await read({ epoch: page.next.epoch, offset: 0 });
  }
  if (reason === undefined) return page;
  return page.lost === undefined ? { ...page, lost: reason, wentOn: true } : page;
}
