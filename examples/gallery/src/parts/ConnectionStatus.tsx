/** The client's state in words, with a countdown to the next try. */
import type { ConnectionState } from "@fanfare/client";
import { Button, VisuallyHidden } from "@mantine/core";
import { useEffect, useState } from "react";
import { client } from "../push/fanfare";
import classes from "./ConnectionStatus.module.css";

export function ConnectionStatus({ state }: { state: ConnectionState }) {
  const { title, detail } = useWords(state);
  const isClosed = state.status === "closed";
  return (
    <div className={classes.status} data-status={state.status}>
      <span className={classes.lamp} aria-hidden="true" />
      <strong className={classes.title}>{title}</strong>
      <Button
        variant="default"
        size="xs"
        className={classes.again}
        data-shown={isClosed || state.status === "reconnecting"}
        onClick={() => client.connect()}
      >
        {isClosed ? "Connect again" : "Try now"}
      </Button>
      <p className={classes.detail}>{detail}</p>
      <Spoken state={state} />
    </div>
  );
}

/** What a screen reader says: when the connection goes and comes, not at every try. */
function Spoken({ state }: { state: ConnectionState }) {
  const [said, setSaid] = useState("");
  const { status } = state;
  const why = "why" in state ? state.why : "";
  useEffect(() => {
    if (status === "connected") setSaid("Connected.");
    else if (status === "closed") setSaid(`Closed. ${why}`);
    else if (status === "reconnecting") setSaid("The connection is lost; trying again.");
  }, [status, why]);
  return <VisuallyHidden role="status">{said}</VisuallyHidden>;
}

function useWords(state: ConnectionState): { title: string; detail: string } {
  const now = useNow(state.status === "reconnecting");
  switch (state.status) {
    case "idle":
      return { title: "Not connected", detail: "Nothing is subscribed yet." };
    case "connecting":
      return { title: "Connecting …", detail: "Opening a WebSocket." };
    case "connected":
      return { title: "Connected", detail: "Messages come as they are published." };
    case "reconnecting": {
      const seconds = Math.max(0, Math.ceil((state.retryAt - now) / 1000));
      const next = seconds > 0 ? `Next try in ${seconds} s` : "Trying";
      return { title: "Reconnecting", detail: `${state.why} ${next} (try ${state.attempt}).` };
    }
    case "closed":
      return { title: "Closed", detail: `${state.why} ${state.remedy}` };
  }
}

/** The time, kept up to date while it is watched. */
function useNow(isWatched: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isWatched) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [isWatched]);
  return now;
}
