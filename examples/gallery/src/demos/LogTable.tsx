/** Shows the rows of a log, and follows the newest unless somebody has scrolled up to read. */
import { Button, VisuallyHidden } from "@mantine/core";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { gapInWords } from "../push/gap-words";
import classes from "./LogTable.module.css";
import type { Entry, LogRows, Row } from "./log-rows";

/** Closer to the end than this counts as being there. */
const NEAR_PX = 24;
const LONGEST_TEXT = 1000;
/** A screen reader is told of new rows in one sentence, when they pause. */
const QUIET_MS = 800;

export function LogTable({ log }: { log: LogRows }) {
  const box = useRef<HTMLElement>(null);
  const [follows, setFollows] = useState(true);

  // biome-ignore lint/correctness/useExhaustiveDependencies: every change of the log may have moved the end
  useLayoutEffect(() => {
    const { current } = box;
    if (current && follows) current.scrollTop = current.scrollHeight;
  }, [log, follows]);

  return (
    <div className={classes.frame}>
      <div className={classes.head} aria-hidden="true">
        <span>Offset</span>
        <span>Time</span>
        <span>Event</span>
        <span>Data</span>
      </div>
      {/* biome-ignore-start lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <section
        ref={box}
        className={classes.box}
        tabIndex={0}
        aria-label="Rows of the log"
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) =>
          setFollows(scrollHeight - scrollTop - clientHeight < NEAR_PX)
        }
      >
        {log.rows.length === 0 && <p className={classes.empty}>Nothing yet. Publish something below.</p>}
        <ol className={classes.rows}>
          {log.rows.map((row) => (
            <LogRow key={row.key} row={row} />
          ))}
        </ol>
      </section>
      {/* biome-ignore-end lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      {!follows && (
        <Button size="compact-sm" className={classes.newest} onClick={() => setFollows(true)}>
          To the newest
        </Button>
      )}
      <Spoken log={log} />
    </div>
  );
}

function LogRow({ row }: { row: Row }) {
  if (row.kind === "gap") return <li className={classes.gap}>{gapInWords(row.gap)}</li>;
  const { offset, time, event, data } = row.message;
  return (
    <li className={classes.row}>
      <span>{offset}</span>
      <time dateTime={new Date(time).toISOString()}>{clock.format(time)}</time>
      <span className={classes.event}>{event}</span>
      <code>{shortened(data)}</code>
    </li>
  );
}

function Spoken({ log: { rows } }: { log: LogRows }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const newest = rows.at(-1);
    if (!newest) return;
    const timer = setTimeout(() => setSaid(inWords(newest)), QUIET_MS);
    return () => clearTimeout(timer);
  }, [rows]);
  return <VisuallyHidden role="status">{said}</VisuallyHidden>;
}

function inWords(row: Row): string {
  if (row.kind === "gap") return gapInWords(row.gap);
  const { offset, event }: Entry = row.message;
  return `The newest row is ${offset}, ${event}.`;
}

function shortened(data: unknown): string {
  const json = JSON.stringify(data);
  if (json.length <= LONGEST_TEXT) return json;
  return `${json.slice(0, LONGEST_TEXT)} … (${json.length} characters)`;
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
