/**
 * Whether somebody may still do what they asked for. The hub asks right before it appends, where it had to wait for something; and it says how
 * large the work was.
 */
export interface Permit {
  /** @throws FanfareError when they may not any more; then nothing is appended */
  check(): void;
  /** A message, or a state that was changed, has this many bytes, or characters, of JSON. @default no charge */
  hasWritten?(bytes: number): void;
}
