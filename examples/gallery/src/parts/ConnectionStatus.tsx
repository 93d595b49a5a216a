/** The connection in words, with a countdown to the next try. */
import type { Connection } from "@fanfare/client";
import { Button, VisuallyHidden } from "@mantine/core";
import { useEffect, useState } from "react";
import { client } from "../push/fanfare";
import classes from "./ConnectionStatus.module.css";

export function ConnectionStatus({ connection }: { connection: Connection }) {
  const { title, detail } = useWords(connection);
  const isClosed = connection.status === "closed";
  return (
    <div className={classes.status} data-status={connection.status}>
      <span className={classes.lamp} aria-hidden="true" />
      <strong className={classes.title}>{title}</strong>
      <Button
        variant="default"
        size="xs"
        className={classes.again}
        data-shown={isClosed || connection.status === "reconnecting"}
        onClick={() => client.connect()}
      >
        {isClosed ? "Connect again" : "Try now"}
      </Button>
      <p className={classes.detail}>{detail}</p>
      <Spoken connection={connection} />
    </div>
  );
}

/** The words for screen readers: when the connection goes and comes, not at every try. */
function Spoken({ connection }: { connection: Connection }) {
  const [said, setSaid] = useState("");
  const { status } = connection;
  const reason = "reason" in connection ? connection.reason : "";
  useEffect(() => {
    if (status === "connected") setSaid("Connected.");
    else if (status === "closed") setSaid(`Closed. ${reason}`);
    else if (status === "reconnecting") setSaid("The connection is lost; trying again.");
  }, [status, reason]);
  return <VisuallyHidden role="status">{said}</VisuallyHidden>;
}

function useWords(connection: Connection): { title: string; detail: string } {
  const now = useNow(connection.status === "reconnecting");
  switch (connection.status) {
    case "idle":
      return { title: "Not connected", detail: "Nothing is subscribed yet." };
    case "connecting":
      return { title: "Connecting …", detail: "Opening a WebSocket." };
    case "connected":
      return { title: "Connected", detail: "Messages come as they are published." };
    case "reconnecting": {
      const seconds = Math.max(0, Math.ceil((connection.retryAt - now) / 1000));
      const next = seconds > 0 ? `Next try in ${seconds} s` : "Trying";
      return { title: "Reconnecting", detail: `${connection.reason} ${next} (try ${connection.attempt}).` };
    }
    case "closed":
      return { title: "Closed", detail: `${connection.reason} ${connection.remedy}` };
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
