/** A few lines of code, folded away until asked for. */
import classes from "./Code.module.css";
import { tokens } from "./tokens";

export function Code({ of, text }: { of: string; text: string }) {
  return (
    <details className={classes.code}>
      <summary aria-label={`The code in the page: ${of}`}>The code in the page</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <pre tabIndex={0}>
        {tokens(text).map(({ kind, text: part, at }) => (
          <span key={at} className={classes[kind]}>
            {part}
          </span>
        ))}
      </pre>
    </details>
  );
}
