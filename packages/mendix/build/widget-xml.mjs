/** Reads the XML in which a widget says what can be configured. The schema has been checked before: see `widget-xml.test.ts`. */
import { DOMParser } from "@xmldom/xmldom";

/**
 * A property, as far as types are made of it.
 *
 * @typedef {object} Property
 * @property {string} key
 * @property {string} type
 * @property {boolean} required
 * @property {boolean} isList
 * @property {string[]} attributeTypes names of types of attributes
 * @property {string[]} values keys of an enumeration
 * @property {string | null} returnType of an expression
 * @property {{ key: string, type: string }[]} variables of an action
 * @property {Property[]} properties of an object
 */

/**
 * @param {string} xml
 * @returns {{ id: string, name: string, properties: Property[] }}
 */
export function readWidgetXml(xml) {
  const root = new DOMParser().parseFromString(xml, "text/xml").documentElement;
  if (!root) throw new Error("The XML has no root.");
  const properties = child(root, "properties");
  return {
    id: root.getAttribute("id") ?? "",
    name: child(root, "name")?.textContent ?? "",
    properties: properties ? propertiesOf(properties) : [],
  };
}

/**
 * Those of a group and of the groups in it, in their order.
 *
 * @param {import("@xmldom/xmldom").Element} group
 * @returns {Property[]}
 */
function propertiesOf(group) {
  return children(group).flatMap((element) => {
    if (element.tagName === "propertyGroup") return propertiesOf(element);
    return element.tagName === "property" ? [propertyOf(element)] : [];
  });
}

/**
 * @param {import("@xmldom/xmldom").Element} element
 * @returns {Property}
 */
function propertyOf(element) {
  const inner = child(element, "properties");
  return {
    key: element.getAttribute("key") ?? "",
    type: element.getAttribute("type") ?? "",
    required: element.getAttribute("required") !== "false",
    isList: element.getAttribute("isList") === "true",
    attributeTypes: listed(element, "attributeTypes").map((each) => each.getAttribute("name") ?? ""),
    values: listed(element, "enumerationValues").map((each) => each.getAttribute("key") ?? ""),
    returnType: child(element, "returnType")?.getAttribute("type") ?? null,
    variables: listed(element, "actionVariables").map((each) => ({
      key: each.getAttribute("key") ?? "",
      type: each.getAttribute("type") ?? "",
    })),
    properties: inner ? propertiesOf(inner) : [],
  };
}

/**
 * @param {import("@xmldom/xmldom").Element} element
 * @param {string} tagName
 */
function listed(element, tagName) {
  const list = child(element, tagName);
  return list ? children(list) : [];
}

/** @param {import("@xmldom/xmldom").Element} element */
function children(element) {
  return [...element.children];
}

/**
 * @param {import("@xmldom/xmldom").Element} element
 * @param {string} tagName
 */
function child(element, tagName) {
  return children(element).find((each) => each.tagName === tagName);
}
