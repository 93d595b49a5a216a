/** Toasts in the corner: stacked, newest last, each can be dismissed. They stay while somebody is at them. */
import { CloseButton } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { CHANNELS, client } from "../push/fanfare";
import { readToast, type Toast } from "../push/payloads";
import classes from "./Toasts.module.css";

const MOST = 4;
const SHOWN_MS = 12_000;

interface Shown extends Toast {
  readonly id: number;
}

export function Toasts() {
  const { toasts, dismiss } = useToasts();
  const [isHeld, setHeld] = useState(false);
  const stack = useRef<HTMLElement>(null);
  const oldest = toasts[0]?.id;

  useEffect(() => {
    if (oldest === undefined || isHeld) return;
    const timer = setTimeout(() => dismiss(oldest), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [oldest, isHeld, dismiss]);

  function dismissByHand(id: number) {
    dismiss(id);
    if (toasts.length === 1) setHeld(false);
    // The button that was pressed goes away, and must not take the focus with it.
    else stack.current?.focus();
  }

  return (
    <section
      ref={stack}
      tabIndex={-1}
      aria-label="Toasts"
      className={classes.stack}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <ol aria-live="polite" className={classes.list}>
        {toasts.map(({ id, title, text }) => (
          <li key={id} className={classes.toast}>
            <div className={classes.words}>
              <strong>{title}</strong>
              <span>{text}</span>
            </div>
            <CloseButton aria-label={`Dismiss: ${title}`} onClick={() => dismissByHand(id)} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function useToasts() {
  const [toasts, setToasts] = useState<readonly Shown[]>([]);
  const [dismiss] = useState(
    () => (id: number) => setToasts((shown) => shown.filter((toast) => toast.id !== id)),
  );
  useEffect(() => {
    let id = 0;
    const subscription = client.subscribe(CHANNELS.toasts, (message) => {
      id += 1;
      const toast = { id, ...readToast(message) };
      setToasts((shown) => [...shown, toast].slice(-MOST));
    });
    return () => subscription.unsubscribe();
  }, []);
  return { toasts, dismiss };
}
