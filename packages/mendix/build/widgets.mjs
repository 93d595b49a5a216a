/** The widgets, and where what belongs to them lies. */
import { fileURLToPath } from "node:url";

/** The folder of this package. */
export const HERE = fileURLToPath(new URL("..", import.meta.url));

/** The widgets' folder inside an app, with dots. */
const PACKAGE_PATH = "fanfare.mendix";

export const WIDGETS = ["Fanfare", "FanfareSimple"].map((name) => ({
  name,
  /** As Mendix forms it. */
  id: `${PACKAGE_PATH}.${name.toLowerCase()}.${name}`,
  /** Where the browser's files lie in the package. */
  folder: `${PACKAGE_PATH.replaceAll(".", "/")}/${name.toLowerCase()}`,
}));

/** @typedef {(typeof WIDGETS)[number]} Widget */
