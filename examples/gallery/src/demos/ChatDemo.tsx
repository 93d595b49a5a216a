/** A chat: windows publish by themselves, and what is said without a connection waits for one. */
import { Button, TextInput } from "@mantine/core";
import { useEffect, useReducer, useRef, useState } from "react";
import { Demo } from "../parts/Demo";
import { Feedback } from "../parts/Feedback";
import type { Outcome } from "../parts/use-publish";
import { WhoIsHere } from "../parts/WhoIsHere";
import { history } from "../push/calls";
import { CHANNELS, client, useQueued } from "../push/fanfare";
import { gapInWords } from "../push/gap-words";
import { readSaid } from "../push/payloads";
import { useOwnName } from "../push/window-names";
import classes from "./ChatDemo.module.css";
import form from "./form.module.css";
import { addToLog, type LogRows, NO_ROWS, type Row } from "./log-rows";

const CODE = `import { createClient } from "@fanfare/client";
const client = createClient({ url: "/push", queue: true });

client.subscribe("chat:demo", ({ data }) => addLine(data), {
  // Where users log in, members have names, too. Here they do not log in.
  onPresence: ({ members }) => showFaces(members ?? []),
});

// Without a connection it waits for one.
await client.publish("chat:demo", { name, text }, { event: "said" });`;

export function ChatDemo() {
  const ownName = useOwnName();
  /** The name, where another was typed. */
  const [typed, setTyped] = useState<string | null>(null);
  const name = typed ?? ownName;
  const [text, setText] = useState("");
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const queued = useQueued();
  const said = { name: name.trim() || "Somebody", text };
  const waits = queued > 0 ? `${queued} waiting for the connection.` : "";

  function say() {
    if (text.trim() === "") return;
    setText("");
    setOutcome(null);
    client.publish(CHANNELS.chat, said, { event: "said" }).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      setOutcome({ isError: true, text: `“${said.text}” was not sent: ${why}.` });
    });
  }

  return (
    <Demo
      title="Chat"
      channel={CHANNELS.chat}
      lead="The windows publish by themselves. Cut this window off and say something: it waits for the connection, and is sent once."
      calls={[
        {
          name: "A line",
          call: { channel: CHANNELS.chat, event: "said", data: { name: "curl", text: "Hello" } },
        },
      ]}
      code={CODE}
    >
      <WhoIsHere channel={CHANNELS.chat} />
      <Lines log={useChat()} own={said.name} />
      <form
        className={form.form}
        onSubmit={(event) => {
          event.preventDefault();
          say();
        }}
      >
        <div className={classes.fields}>
          <TextInput
            label="Your name"
            value={name}
            maxLength={30}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          <TextInput
            label="Say something"
            value={text}
            maxLength={500}
            autoComplete="off"
            onChange={(event) => setText(event.currentTarget.value)}
          />
        </div>
        <div className={form.actions}>
          <Button type="submit">Say it</Button>
          <Feedback outcome={outcome ?? (waits ? { isError: false, text: waits } : null)} />
        </div>
      </form>
    </Demo>
  );
}

function Lines({ log, own }: { log: LogRows; own: string }) {
  const box = useRef<HTMLElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: every line moves the end
  useEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [log]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
    <section ref={box} className={classes.box} tabIndex={0} aria-label="Lines of the chat">
      {log.rows.length === 0 && <p className={classes.empty}>The chat is empty.</p>}
      <ol className={classes.lines} aria-live="polite">
        {log.rows.map((row) => (
          <Line key={row.key} row={row} own={own} />
        ))}
      </ol>
    </section>
  );
}

function Line({ row, own }: { row: Row; own: string }) {
  if (row.kind === "gap") return <li className={classes.gap}>{gapInWords(row.gap)}</li>;
  const { name, text } = readSaid(row.message);
  return (
    <li className={classes.line} data-own={name === own}>
      <strong>{name}</strong> <span>{text}</span>
    </li>
  );
}

function useChat(): LogRows {
  const [log, add] = useReducer(addToLog, NO_ROWS);
  useEffect(() => {
    const subscription = client.subscribe(
      CHANNELS.chat,
      (message) => add({ kind: "messages", messages: [message] }),
      {
        onGap: (gap) => add({ kind: "gap", gap }),
        snapshot: async () => {
          const { messages } = await history(CHANNELS.chat);
          add({ kind: "messages", messages });
        },
      },
    );
    return () => subscription.unsubscribe();
  }, []);
  return log;
}
