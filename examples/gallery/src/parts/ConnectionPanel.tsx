/** How this window is connected, in words; the switch that cuts it off; and what became of the messages meanwhile. */
import { Switch } from "@mantine/core";
import { useSyncExternalStore } from "react";
import { setCut, useConnection, useCut } from "../push/fanfare";
import { recovery } from "../push/recovery";
import { recoveryInWords } from "../push/recovery-words";
import classes from "./ConnectionPanel.module.css";
import { ConnectionStatus } from "./ConnectionStatus";

export function ConnectionPanel() {
  const isCut = useCut();
  const connection = useConnection();
  return (
    <section className={classes.panel} aria-labelledby="connection">
      <h2 id="connection" className={classes.heading}>
        This window’s connection
      </h2>
      <div className={classes.now}>
        <ConnectionStatus connection={connection} />
      </div>
      <div>
        <Switch
          size="md"
          classNames={{ label: classes.cutLabel, description: classes.cutNote }}
          color="red"
          checked={isCut}
          onChange={(event) => setCut(event.currentTarget.checked)}
          label="Cut this window off the network"
          description="Its WebSocket goes without a word; the buttons below still publish. Cut, publish, and connect again."
        />
      </div>
      <div className={classes.recovered} role="status">
        <Recovered />
      </div>
      <p className={classes.tip}>
        Or stop the server with <kbd>Ctrl</kbd>-<kbd>C</kbd> and start it again, and see what happens then.
      </p>
    </section>
  );
}

function Recovered() {
  const last = useSyncExternalStore(recovery.watch, recovery.get);
  if (!last) return <p>After an interruption it says here what was recovered, and what was not.</p>;
  return recoveryInWords(last).map((sentence, index) => (
    <p key={sentence} className={index === 0 ? classes.back : classes.missing}>
      {sentence}
    </p>
  ));
}
