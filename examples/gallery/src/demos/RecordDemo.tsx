/** A record that is open in several windows: its fields are live, and one window at a time may edit them. */
import { ClientError } from "@fanfare/client";
import { Button, Textarea, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { Demo } from "../parts/Demo";
import { Feedback } from "../parts/Feedback";
import { useLock } from "../parts/use-lock";
import type { Outcome } from "../parts/use-publish";
import { WhoIsHere } from "../parts/WhoIsHere";
import { client, RECORD } from "../push/fanfare";
import { type Fields, readFields, readName } from "../push/payloads";
import { useOwnName } from "../push/window-names";
import classes from "./RecordDemo.module.css";

/** Short, so that a window that is cut off loses the lock while one looks on. */
const LEASE_SECONDS = 9;

const LOCKED = "Somebody else has the lock: wait until they are done.";

const CODE = `import { createClient } from "@fanfare/client";
const client = createClient({ url: "/push" });

// The fields, as they are and as they change; and who has them open.
client.subscribe("record:demo", () => {}, {
  onState: ({ state }) => showFields(state),
  onPresence: ({ members }) => showFaces(members ?? []),
});

// Who edits them.
client.watchLock("record:demo", (lock) => {
  showEditor(lock.holder ? lock.info.name : null);
});
const lock = await client.lock("record:demo", { info: { name } });
lock.signal.addEventListener("abort", showReadOnly); // lost
client.patch("record:demo", { status: "Shipped" });
await lock.release();`;

export function RecordDemo() {
  const fields = useFields();
  const name = useOwnName();
  const { lock, state, take, release } = useLock(RECORD, { leaseSeconds: LEASE_SECONDS, info: { name } });
  /** The text typed here; the others see it a moment later. */
  const [draft, setDraft] = useState<Partial<Fields>>({});
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  /** It was asked for in vain, and still is somebody else's. */
  const [isRefused, setRefused] = useState(false);
  const isOurs = lock !== null;
  const shown = isOurs ? { ...fields, ...draft } : fields;
  const editor = state?.holder ? readName(state.info) : null;

  useEffect(() => {
    if (isOurs || editor === null) setRefused(false);
  }, [isOurs, editor]);

  useEffect(() => {
    if (!lock) return undefined;
    const lost = () =>
      setOutcome({ isError: true, text: `The lock is lost: ${lock.signal.reason.message}.` });
    lock.signal.addEventListener("abort", lost);
    return () => lock.signal.removeEventListener("abort", lost);
  }, [lock]);

  function refuse(error: unknown) {
    setOutcome({ isError: true, text: error instanceof Error ? `${error.message}.` : String(error) });
  }

  async function edit() {
    setDraft({});
    setOutcome(null);
    try {
      await take();
    } catch (error) {
      if (error instanceof ClientError && error.code === "locked") setRefused(true);
      else refuse(error);
    }
  }

  async function finish() {
    try {
      await release();
    } catch (error) {
      refuse(error);
    }
  }

  function type(changed: Partial<Fields>) {
    setDraft((before) => ({ ...before, ...changed }));
    client.patch(RECORD, { ...changed }).catch(refuse);
  }

  const input = (name: keyof Fields) => ({
    value: shown[name],
    readOnly: !isOurs,
    maxLength: 200,
    onChange: (event: { currentTarget: { value: string } }) => type({ [name]: event.currentTarget.value }),
  });

  return (
    <Demo
      title="A shared record"
      channel={RECORD}
      lead="Other windows show what you type. One at a time may edit. All see who it is, and who is here."
      calls={[
        { name: "A field", call: { channel: RECORD, patch: { status: "Shipped" } } },
        {
          name: "The lock",
          call: { method: "PUT", path: `/locks/${RECORD}`, body: { info: { name: "curl" } } },
        },
      ]}
      code={CODE}
    >
      <WhoIsHere channel={RECORD} />
      <p className={classes.who} role="status" data-ours={isOurs} data-held={editor !== null}>
        {isOurs && `You edit this record, as ${name}.`}
        {!isOurs && editor !== null && `${editor} edits this record.`}
        {!isOurs && editor === null && "This record is free to edit."}
      </p>
      <div className={classes.fields}>
        <TextInput label="Customer" {...input("customer")} />
        <TextInput label="Status" {...input("status")} />
        <Textarea
          label="Notes"
          autosize
          minRows={2}
          maxRows={5}
          className={classes.wide}
          {...input("notes")}
        />
      </div>
      <div className={classes.actions}>
        {isOurs ? (
          <Button onClick={() => void finish()}>Done</Button>
        ) : (
          <Button onClick={() => void edit()}>Edit</Button>
        )}
        <Feedback outcome={isRefused ? { isError: true, text: LOCKED } : outcome} />
      </div>
    </Demo>
  );
}

function useFields(): Fields {
  const [fields, setFields] = useState<Fields>(() => readFields(null));
  useEffect(() => {
    const subscription = client.subscribe(RECORD, () => {}, {
      onState: ({ state }) => setFields(readFields(state)),
    });
    return () => subscription.unsubscribe();
  }, []);
  return fields;
}
