/** The windows that have a channel open: a face and a name for each, this one first. */
import { useId } from "react";
import { useConnection } from "../push/fanfare";
import { hueOf, nameOf, useMemberId } from "../push/window-names";
import { usePresence } from "./use-presence";
import classes from "./WhoIsHere.module.css";

/** How many are shown with their names. */
const SHOWN = 8;

export function WhoIsHere({ channel }: { readonly channel: string }) {
  const { presence, news } = usePresence(channel);
  const me = useMemberId();
  const isLive = useConnection().status === "connected";
  const id = useId();
  if (!presence) return null;
  const { count, members } = presence;
  const own = members?.filter((member) => member.id === me) ?? [];
  const others = members?.filter((member) => member.id !== me) ?? [];
  const shown = [...own, ...others].slice(0, SHOWN);
  return (
    <section className={classes.here} data-live={isLive} aria-labelledby={id}>
      <p className={classes.heading}>
        <strong id={id}>{isLive ? "Who is here" : "Who was here"}</strong>{" "}
        <span aria-live="polite">{news}</span>
      </p>
      <ul className={classes.faces}>
        {shown.map((member) => (
          <Face key={member.id} id={member.id} isOwn={member.id === me} />
        ))}
        {count > shown.length && (
          <li className={classes.more}>
            {shown.length === 0 ? `${count} windows` : `and ${count - shown.length} more`}
          </li>
        )}
      </ul>
    </section>
  );
}

function Face({ id, isOwn }: { readonly id: string; readonly isOwn: boolean }) {
  const name = nameOf(id);
  return (
    <li className={classes.face} data-own={isOwn}>
      <span className={classes.picture} style={{ color: colourOf(id) }} aria-hidden="true">
        {name.charAt(0)}
      </span>
      {name}
      {isOwn && <span className={classes.you}>you</span>}
    </li>
  );
}

function colourOf(id: string): string {
  const hue = hueOf(id);
  return `light-dark(hsl(${hue} 70% 24%), hsl(${hue} 80% 88%))`;
}
