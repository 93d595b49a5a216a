/** The package comes in two editions, since older versions of Mendix do not know all that the widgets use. */
import { DOMParser, XMLSerializer } from "@xmldom/xmldom";

/**
 * @typedef {object} Edition
 * @property {string} file what the package is called
 * @property {boolean} isOlder for versions without single objects as a source (before 11.11), and without `mendix/session`
 */

/** @type {Edition[]} */
export const EDITIONS = [
  { file: "fanfare.mpk", isOlder: false },
  { file: "fanfare-mendix-10.mpk", isOlder: true },
];

/** What older versions cannot read: the channel of an object. The channel by name stays. */
const NEWER_PROPERTIES = ["messageObject", "objectPrefix"];

/**
 * The XML as the edition has it.
 *
 * @param {string} xml
 * @param {Edition} edition
 */
export function editionXml(xml, { isOlder }) {
  if (!isOlder) return xml;
  const document = new DOMParser().parseFromString(xml, "text/xml");
  for (const property of [...document.getElementsByTagName("property")]) {
    const key = property.getAttribute("key") ?? "";
    if (NEWER_PROPERTIES.includes(key)) property.parentNode?.removeChild(property);
    if (key === "channelBy") property.setAttribute("defaultValue", "name");
  }
  for (const value of [...document.getElementsByTagName("enumerationValue")]) {
    if (value.getAttribute("key") === "object") value.parentNode?.removeChild(value);
  }
  return new XMLSerializer().serializeToString(document);
}
