/** Reads a log for subscribers, who go on after what is damaged: to them it is a gap. */
import type { ChannelName, Position } from "@fanfare/protocol";
import { DamagedError } from "../../engine/damaged.js";
import type { Engine, Page, ReadLimit } from "../../engine/engine.js";

/** As `logs.read`. Where the next entry is damaged, the page begins after it, as if the log had let go of it. */
export async function readAround(
  engine: Engine,
  channel: ChannelName,
  after: Position | null,
  limit: ReadLimit,
): Promise<Page> {
  let [from, messages] = [after, limit.messages];
  /** The page's answer to the position that was asked for, when it is read from a later one. */
  let around: Pick<Page, "lost"> = {};
  for (;;) {
    try {
      const page = await engine.logs.read(channel, from, { ...limit, messages });
      const first = from === after ? page.first : Math.max(page.first, (from?.offset ?? 0) + 1);
      return { ...page, first, ...around };
    } catch (error) {
      if (!(error instanceof DamagedError) || !error.entry) throw error;
      const { position, before, lost } = error.entry;
      if (before > 0) messages = before;
      else from = position;
      if (lost) around = { lost };
    }
  }
}
