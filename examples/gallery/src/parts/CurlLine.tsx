/** The line that does the same in a terminal, to copy. */
import { CopyButton, UnstyledButton } from "@mantine/core";
import { type Call, type Change, curlLine, type OtherCall } from "../push/calls";
import classes from "./CurlLine.module.css";

export function CurlLine({ name, call }: { name: string; call: Call | Change | OtherCall }) {
  const line = curlLine(call);
  return (
    <div className={classes.curl}>
      <div className={classes.top}>
        <span>{name} from a terminal</span>
        <CopyButton value={line} timeout={2000}>
          {({ copied, copy }) => (
            <UnstyledButton
              className={classes.copy}
              onClick={copy}
              aria-label={`Copy: ${name} from a terminal`}
            >
              <span aria-live="polite">{copied ? "Copied" : "Copy"}</span>
            </UnstyledButton>
          )}
        </CopyButton>
      </div>
      <pre className={classes.line}>
        <span className={classes.prompt} aria-hidden="true">
          ${" "}
        </span>
        {line}
      </pre>
    </div>
  );
}
