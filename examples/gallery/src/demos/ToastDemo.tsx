/** A toast in all windows when a background job is done. */
import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { Demo } from "../parts/Demo";
import { Feedback } from "../parts/Feedback";
import { usePublish } from "../parts/use-publish";
import { CHANNELS } from "../push/fanfare";
import classes from "./form.module.css";

const CODE = `import { createClient } from "@fanfare/client";
const client = createClient({ url: "/push" });

client.subscribe("toasts", ({ data }) => {
  showToast(data.title, data.text);
});`;

export function ToastDemo() {
  const [title, setTitle] = useState("Report is ready");
  const [text, setText] = useState("Sales of the third quarter, 48 pages.");
  const { isBusy, outcome, send } = usePublish();
  const call = { channel: CHANNELS.toasts, event: "job-done", data: { title, text } };
  return (
    <Demo
      title="Toast when a job is done"
      channel={CHANNELS.toasts}
      lead="Comes up in the corner of all windows, also of one that was away for a while."
      calls={[{ name: "A toast", call }]}
      code={CODE}
    >
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          if (!isBusy) void send([call]);
        }}
      >
        <div className={classes.fields}>
          <TextInput
            label="Title"
            value={title}
            maxLength={80}
            onChange={(event) => setTitle(event.currentTarget.value)}
          />
          <TextInput
            label="Text"
            value={text}
            maxLength={200}
            onChange={(event) => setText(event.currentTarget.value)}
          />
        </div>
        <div className={classes.actions}>
          <Button type="submit">Send the toast</Button>
          <Feedback outcome={outcome} />
        </div>
      </form>
    </Demo>
  );
}
