/** Names that stand for nothing are mostly mistyped, so none is passed over in silence. */
import { quote } from "@fanfare/protocol";

/** @param where what the name was given to. @throws TypeError */
export function checkKnown(where: string, name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  throw new TypeError(`${where}: ${quote(name)} is not known. Use ${known.join(", ")}.`);
}
