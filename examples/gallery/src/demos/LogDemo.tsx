/** A channel as it is: every message with its place in the log, every gap with its reason; and a form to publish anything. */
import { Button, Textarea, TextInput } from "@mantine/core";
import { useEffect, useReducer, useState } from "react";
import { Demo } from "../parts/Demo";
import { Feedback } from "../parts/Feedback";
import { usePublish } from "../parts/use-publish";
import { type Call, history } from "../push/calls";
import { CHANNELS, client } from "../push/fanfare";
import classes from "./form.module.css";
import { LogTable } from "./LogTable";
import { addToLog, type LogRows, NO_ROWS } from "./log-rows";

/** More than the log holds by default, so that a window that was cut off does not get all. */
const BURST = 150;

const CODE = `import { createClient } from "@fanfare/client";
const client = createClient({ url: "/push" });

client.subscribe("hello", (message) => addRow(message), {
  onGap: ({ from, to, reason }) => addGap(from, to, reason),
  // What the log holds from before.
  async snapshot() {
    const answer = await fetch(
      "/push/channels/hello/messages?limit=1000");
    const { messages } = await answer.json();
    addRowsNotYetShown(messages);
  },
});`;

export function LogDemo() {
  const [event, setEvent] = useState("signed-in");
  const [json, setJson] = useState('{"user": "Ada", "from": "Berlin"}');
  const { isBusy, outcome, send, refuse } = usePublish();
  const parsed = parse(json);
  const [lastData, setLastData] = useState<unknown>(() => JSON.parse(json));
  const call: Call = {
    channel: CHANNELS.log,
    ...(event && { event }),
    data: "data" in parsed ? parsed.data : lastData,
  };
  return (
    <Demo
      title="Live log"
      channel={CHANNELS.log}
      lead={`Rows as they come. Cut this window off, publish ${BURST} at once, and connect again: the log holds 100, and the row in between says what is missing.`}
      calls={[{ name: "A row", call }]}
      code={CODE}
      isWide
    >
      <LogTable log={useLog()} />
      <form
        className={classes.form}
        onSubmit={(submit) => {
          submit.preventDefault();
          if ("problem" in parsed) refuse("Nothing was published: the data is no JSON.");
          else if (!isBusy) void send([call]);
        }}
      >
        <div className={classes.fields}>
          <TextInput
            label="Event"
            value={event}
            maxLength={200}
            onChange={(change) => setEvent(change.currentTarget.value)}
          />
          <Textarea
            label="Data, any JSON"
            value={json}
            rows={2}
            spellCheck={false}
            classNames={{ input: "mono" }}
            error={"problem" in parsed ? parsed.problem : null}
            onChange={({ currentTarget: { value } }) => {
              setJson(value);
              const next = parse(value);
              if ("data" in next) setLastData(next.data);
            }}
          />
        </div>
        <div className={classes.actions}>
          <Button type="submit">Publish</Button>
          <Button variant="default" onClick={() => !isBusy && void send(burst())}>
            Publish {BURST} at once
          </Button>
          <Feedback outcome={outcome} />
        </div>
      </form>
    </Demo>
  );
}

function useLog(): LogRows {
  const [log, add] = useReducer(addToLog, NO_ROWS);
  useEffect(() => {
    const subscription = client.subscribe(
      CHANNELS.log,
      (message) => add({ kind: "messages", messages: [message] }),
      {
        onGap: (gap) => add({ kind: "gap", gap }),
        snapshot: async () => {
          const { messages } = await history(CHANNELS.log);
          add({ kind: "messages", messages });
        },
      },
    );
    return () => subscription.unsubscribe();
  }, []);
  return log;
}

function burst(): Call[] {
  return Array.from({ length: BURST }, (_, i) => ({
    channel: CHANNELS.log,
    event: "counted",
    data: { count: i + 1, of: BURST },
  }));
}

function parse(json: string): { data: unknown } | { problem: string } {
  try {
    return { data: JSON.parse(json) };
  } catch (error) {
    const where = error instanceof Error ? error.message : String(error);
    return {
      problem: json.trim() === "" ? "Write some JSON, such as null." : `This is no JSON: ${where}.`,
    };
  }
}
