/** A banner across the top of all windows, until it is taken back. */
import { Button, SegmentedControl, TextInput } from "@mantine/core";
import { useId, useState } from "react";
import { Demo } from "../parts/Demo";
import { Feedback } from "../parts/Feedback";
import { usePublish } from "../parts/use-publish";
import { CHANNELS } from "../push/fanfare";
import { type Level, TAKEN_BACK } from "../push/payloads";
import classes from "./form.module.css";

const CODE = `import { createClient } from "@fanfare/client";
const client = createClient({ url: "/push" });

client.subscribe("broadcast", ({ event, data }) => {
  if (event === "cleared") hideBanner();
  else showBanner(data.text, data.level);
});`;

const LEVEL_CHOICES: { value: Level; label: string }[] = [
  { value: "info", label: "Notice" },
  { value: "warning", label: "Warning" },
];

export function BroadcastDemo() {
  const [text, setText] = useState("Down in 1 hour for maintenance");
  const [level, setLevel] = useState<Level>("warning");
  const { isBusy, outcome, send } = usePublish();
  const levelId = useId();
  const show = { channel: CHANNELS.broadcast, event: "announced", data: { text, level } };
  const takeBack = { channel: CHANNELS.broadcast, event: TAKEN_BACK, data: null };
  return (
    <Demo
      title="Broadcast banner"
      channel={CHANNELS.broadcast}
      lead="One sentence across the top of all windows, for as long as it holds."
      calls={[
        { name: "Show it", call: show },
        { name: "Take it back", call: takeBack },
      ]}
      code={CODE}
    >
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          if (!isBusy) void send([show]);
        }}
      >
        <div className={classes.fields}>
          <TextInput
            label="Text"
            value={text}
            maxLength={200}
            required
            withAsterisk={false}
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <div>
            <span id={levelId} className={classes.label}>
              Level
            </span>
            <SegmentedControl
              aria-labelledby={levelId}
              value={level}
              onChange={setLevel}
              data={LEVEL_CHOICES}
            />
          </div>
        </div>
        <div className={classes.actions}>
          <Button type="submit">Show in all windows</Button>
          <Button variant="default" onClick={() => void send([takeBack])}>
            Take it back
          </Button>
          <Feedback outcome={outcome} />
        </div>
      </form>
    </Demo>
  );
}
