/** Fanfare, in one look. */
import { Button, Title } from "@mantine/core";
import { useState } from "react";
import classes from "./Hero.module.css";
import { openSecondWindow } from "./second-window";
import { Wires } from "./Wires";

export function Hero() {
  const [blocked, setBlocked] = useState(false);
  return (
    <section className={classes.hero}>
      <div>
        <Title order={1} className={classes.title}>
          One call, and every window has it.
        </Title>
        <p className={classes.lead}>
          Fanfare pushes messages from your server to browser windows: one HTTP POST, and every window that
          listens to that channel has it. A window that was away gets what it missed, or is told exactly what
          it did not get and why.
        </p>
        <div className={classes.actions}>
          <Button size="md" onClick={() => setBlocked(!openSecondWindow())}>
            Open a second window
          </Button>
          <span className={classes.hint} role="status">
            {blocked
              ? "The browser blocked it. Allow pop-ups for this page, or open this address in another window."
              : "Put it beside this one, then start something below."}
          </span>
        </div>
      </div>
      <Wires />
    </section>
  );
}
