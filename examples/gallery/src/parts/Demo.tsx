/** A demo: on the left the thing itself, on the right how it is done. */
import { Title } from "@mantine/core";
import { type ReactNode, useId } from "react";
import type { Call, Change, OtherCall } from "../push/calls";
import { Code } from "./Code";
import { CurlLine } from "./CurlLine";
import classes from "./Demo.module.css";

export interface DemoProps {
  readonly title: string;
  readonly channel: string;
  /** The kind of thing that the name names. @default "channel" */
  readonly kind?: string;
  readonly lead: string;
  /** The calls that the buttons make, as a terminal would. */
  readonly calls: readonly { readonly name: string; readonly call: Call | Change | OtherCall }[];
  /** The controls that drive it in the page. */
  readonly code: string;
  /** The thing itself needs the whole width; how it is done stands below it. */
  readonly isWide?: boolean;
  readonly children: ReactNode;
}

export function Demo({
  title,
  channel,
  kind = "channel",
  lead,
  calls,
  code,
  isWide = false,
  children,
}: DemoProps) {
  const id = useId();
  return (
    <section className={classes.demo} data-wide={isWide} aria-labelledby={id}>
      <div className={classes.live}>
        <div className={classes.heading}>
          <Title order={3} id={id} className={classes.title}>
            {title}
          </Title>
          <span className={classes.channel}>
            {kind} <code>{channel}</code>
          </span>
        </div>
        <p className={classes.lead}>{lead}</p>
        {children}
      </div>
      <div className={classes.how}>
        {calls.map(({ name, call }) => (
          <CurlLine key={name} name={name} call={call} />
        ))}
        <Code of={title} text={code} />
      </div>
    </section>
  );
}
