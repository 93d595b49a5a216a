/**
 * Brings a lagging subscription forward, one page at a time: from the window of its channel, and from the engine for what
 * lies further back. The first page is the answer to the subscribe. A new subscriber, one that comes back and one that
 * reads slowly are the same thing here: a cursor that is not at the head.
 */
import type { GapReason, Position } from "@fanfare/protocol";
import { Entry } from "../log/entry.js";
import { buildPage, overtakenIn, type WirePage } from "../log/page.js";
import type { PageOn } from "../log/read-on.js";
import type { Window } from "../log/window.js";
import type { PageCache } from "./page-cache.js";
import type { Start, Subscription } from "./subscription.js";

/** The next step for a lagging subscription. */
export type Step =
  /** Write this page. */
  | { readonly kind: "write"; readonly page: WirePage }
  /** Write the answer to the request; `reason` says why something is missing, if anything is. */
  | { readonly kind: "answer"; readonly bytes: Uint8Array; readonly reason: GapReason | undefined }
  /** Ask the engine for what comes after this position, and give the answer to the subscription. */
  | { readonly kind: "read"; readonly after: Position }
  /** Nothing: it is live now, or waits for a flush. */
  | { readonly kind: "rest" };

const REST: Step = { kind: "rest" };
/** This many entries are looked at for one page, however long the window is. */
const MAX_PAGE_ENTRIES = 1000;

/** Takes the next step of a lagging subscription; its cursor is moved as if the bytes had been written. */
export function nextStep(subscription: Subscription, now: number, cache: PageCache): Step {
  const { channel, request, cursor } = subscription;
  const window = channel.tail?.window;
  if (!window || !cursor) return REST;
  channel.trim(now);
  const { read } = subscription;
  // The rest of an earlier epoch does not change any more.
  if (read && (read.epoch === window.epoch || read.next))
    return useRead(subscription, read, window, now, cache);
  subscription.dropRead();
  if (subscription.stateDue && !request && cursor.epoch === window.epoch) {
    const step = wholeState(subscription);
    if (step) return step;
  }
  if (request) {
    const { since } = request;
    if (!since) {
      const start: Start = { cursor, recovered: false };
      return answer(
        subscription,
        window,
        request.withheld ? { ...start, reason: "not_allowed_history" } : start,
      );
    }
    if (window.covers(since)) return answer(subscription, window, { cursor: since, recovered: true });
    return { kind: "read", after: since };
  }
  if (window.hasEarlier(cursor)) return { kind: "read", after: cursor };
  // A client that stands in an earlier epoch, and has all of that, goes on with the gap that began this one.
  const sequence = cursor.epoch === window.epoch ? window.seek(cursor) : window.beginning;
  if (sequence === null) {
    const beyond = cursor.epoch === window.epoch && cursor.offset > window.head;
    return beyond ? rest(subscription) : { kind: "read", after: cursor };
  }
  if (sequence > channel.flushed) return rest(subscription);
  if (sequence === channel.flushed) {
    channel.join(subscription);
    return REST;
  }
  const page = pageFromWindow(subscription, window, sequence, cache);
  subscription.advance({ epoch: window.epoch, offset: page.offset });
  noteGaps(subscription, page);
  // Most cursors are at the end after one page: then they are live, without another turn in the ring.
  const atEnd = page.offset === window.at(channel.flushed - 1).offset;
  if (atEnd && !(subscription.stateDue && channel.state?.known)) channel.join(subscription);
  return { kind: "write", page };
}

/** A hole may hide changes of the state, so the whole of it has to follow. */
function noteGaps(subscription: Subscription, { gaps }: WirePage): void {
  if (!gaps || !subscription.channel.state) return;
  if (gaps.some((reason) => reason !== "conflated")) subscription.needsState();
}

/** The state as a whole; `null` when there never was one, or when it is not known: as soon as it is, all who are live are told. */
function wholeState(subscription: Subscription): Step | null {
  const { channel, connection, cursor } = subscription;
  const { state } = channel;
  if (state && !state.known) return null;
  subscription.hasState();
  if (!state?.everSet) return null;
  const { offset } = state;
  const news = { channel: channel.name, from: offset, offset, change: "value" } as const;
  const bytes = connection.subscriber.encoding.state({ ...news, json: state.json ?? "null" });
  return {
    kind: "write",
    page: { bytes, count: 0, offset: cursor?.offset ?? 0, messages: 0, gaps: null },
  };
}

function rest(subscription: Subscription): Step {
  subscription.channel.waitForFlush(subscription);
  return REST;
}

function answer(subscription: Subscription, window: Window, start: Start): Step {
  const { channel, connection, request } = subscription;
  const { cursor, recovered, reason } = start;
  // In a log that is gone there is none; that of the next follows the gap.
  const isTold = (!recovered || request?.state) && cursor.epoch === window.epoch;
  const state = isTold ? channel.state : null;
  if (state && !state.known) {
    state.wait(subscription);
    return REST;
  }
  subscription.answer(cursor);
  const presence = request?.attendance && channel.attend(subscription, request.attendance);
  const bytes = connection.subscriber.encoding.subscribed({
    request: request?.request,
    channel: channel.name,
    epoch: cursor.epoch,
    offset: cursor.offset,
    head: Math.max(
      cursor.offset,
      cursor.epoch === window.epoch ? window.head : headOf(subscription.read, cursor),
    ),
    recovered,
    ...(reason && { reason }),
    ...(state?.everSet && { state: state.json ?? "null", stateOffset: state.offset }),
    ...(presence !== undefined && { presence }),
  });
  if (request?.batch) connection.answered(request.batch);
  return { kind: "answer", bytes, reason };
}

/** The head of what was read of an earlier epoch. */
function headOf(read: PageOn | null, { epoch, offset }: Position): number {
  return read?.epoch === epoch ? read.head : offset;
}

function pageFromWindow(
  subscription: Subscription,
  window: Window,
  sequence: number,
  cache: PageCache,
): WirePage {
  const { channel, connection } = subscription;
  const { encoding } = connection.subscriber;
  const cached = cache.get(channel, sequence, encoding);
  if (cached) return cached;
  const conflates = channel.rule.events === "latest";
  const until = conflates ? channel.flushed : Math.min(channel.flushed, sequence + MAX_PAGE_ENTRIES);
  const entries = channel.conflate(window.slice(sequence, until));
  const options = { ...overtaken(subscription, entries), recipient: connection.id };
  const page = buildPage(entries, 0, encoding, options);
  if (entries.every(({ message }) => message?.except === undefined))
    cache.put(channel, sequence, encoding, page);
  return page;
}

/** Goes on with what the engine gave. */
function useRead(
  subscription: Subscription,
  page: PageOn,
  window: Window,
  now: number,
  cache: PageCache,
): Step {
  const { request, connection } = subscription;
  if (request?.since) {
    const { since } = request;
    const { epoch, first, lost, next, wentOn } = page;
    if (next || wentOn) {
      // The answer is followed by the rest of the earlier epoch, where it is held, else by the next epoch from its beginning.
      const offset = epoch === since.epoch ? Math.max(since.offset, first - 1) : first - 1;
      const reason = lost ?? next?.reason ?? "epoch_changed";
      return answer(subscription, window, { cursor: { epoch, offset }, recovered: false, reason });
    }
    if (page.lost || since.offset > page.head) {
      subscription.dropRead();
      const offset = window.head;
      const reason = page.lost ?? "restarted";
      return answer(subscription, window, {
        cursor: { epoch: page.epoch, offset },
        recovered: false,
        reason,
      });
    }
    // The page stays: its messages follow the answer.
    if (page.first <= since.offset + 1)
      return answer(subscription, window, { cursor: since, recovered: true });
    const cursor = { epoch: page.epoch, offset: page.first - 1 };
    return answer(subscription, window, { cursor, recovered: false, reason: "evicted" });
  }
  subscription.dropRead();
  const entries = entriesOf(subscription, page, window, now);
  // The page may be older than what has come to the window since.
  if (entries.length === 0) return nextStep(subscription, now, cache);
  const options = { ...overtaken(subscription, entries), recipient: connection.id };
  const written = buildPage(entries, 0, connection.subscriber.encoding, options);
  subscription.advance({ epoch: page.epoch, offset: written.offset });
  noteGaps(subscription, written);
  return { kind: "write", page: written };
}

/** The meaning of a page of the engine for this cursor: the messages it has not seen, and the gap before them. */
function entriesOf(subscription: Subscription, page: PageOn, window: Window, now: number): Entry[] {
  const { channel, cursor } = subscription;
  const { epoch, first, lost } = page;
  const isOther = cursor?.epoch !== epoch;
  const seen = isOther || !cursor ? 0 : cursor.offset;
  const entries: Entry[] = [];
  if (isOther || first > seen + 1) {
    const gap = {
      channel: channel.name,
      epoch,
      from: seen + 1,
      to: first - 1,
      reason: lost ?? "too_slow",
    } as const;
    entries.push(Entry.ofGap(gap, now));
  }
  for (const entry of page.messages) if (entry.offset > seen) entries.push(Entry.of(entry));
  return epoch === window.epoch ? channel.conflate(entries) : withoutStates(entries);
}

/** In an earlier epoch the state that changes build on is not known any more, and that of the next epoch overtakes them. */
function withoutStates(entries: readonly Entry[]): Entry[] {
  const left: Entry[] = [];
  for (const entry of entries) {
    if (!entry.state) {
      left.push(entry);
      continue;
    }
    const before = left.at(-1)?.gap;
    const joined = before?.reason === "conflated" ? left.pop()?.gap : null;
    const { channel, epoch, offset, time } = entry.state;
    left.push(
      Entry.ofGap({ channel, epoch, from: joined?.from ?? offset, to: offset, reason: "conflated" }, time),
    );
  }
  return left;
}

function overtaken(subscription: Subscription, entries: readonly Entry[]) {
  return subscription.channel.rule.events === "latest" ? { overtaken: overtakenIn(entries) } : {};
}
