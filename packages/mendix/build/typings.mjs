/** Makes the types of a widget's props from its XML: what it gets in the browser, and what Studio Pro shows its previews. */

/** @typedef {import("./widget-xml.mjs").Property} Property */

/** @type {Record<string, string>} */
const ATTRIBUTES = {
  String: "string",
  Enum: "string",
  Integer: "Big",
  Long: "Big",
  Decimal: "Big",
  Boolean: "boolean",
  DateTime: "Date",
};

/**
 * @param {string} name of the widget
 * @param {readonly Property[]} properties
 */
export function typings(name, properties) {
  const objects = properties.filter(({ type }) => type === "object");
  const parts = [
    ...properties.filter(({ type }) => type === "enumeration").map(enumeration),
    ...objects.map((each) => fields(`${upper(each.key)}Type`, each.properties, inBrowser)),
    ...objects.map((each) => fields(`${upper(each.key)}PreviewType`, each.properties, inStudio)),
    fields(`${name}ContainerProps`, properties, inBrowser, [
      "name: string;",
      "class: string;",
      "style?: CSSProperties;",
      "tabIndex?: number;",
    ]),
    fields(`${name}PreviewProps`, properties, inStudio, ["class: string;", "readOnly: boolean;"]),
  ];
  const text = parts.join("\n");
  const used = (/** @type {string} */ type) => new RegExp(`\\b${type}\\b`).test(text);
  const mendix = ["ActionValue", "DynamicValue", "EditableValue", "ObjectItem"].filter(used);
  return [
    `/** Made from ${name}.xml by the build. Change that file instead. */`,
    ...(used("Big") ? ['import type { Big } from "big.js";'] : []),
    `import type { ${mendix.join(", ")} } from "mendix";`,
    'import type { CSSProperties } from "react";',
    "",
    text,
  ].join("\n");
}

/** @param {Property} property */
function enumeration({ key, values }) {
  return `export type ${upper(key)}Enum = ${values.map((value) => `"${value}"`).join(" | ")};\n`;
}

/**
 * @param {string} name
 * @param {readonly Property[]} properties
 * @param {(property: Property) => string} line
 * @param {readonly string[]} first
 */
function fields(name, properties, line, first = []) {
  const lines = [...first, ...properties.map(line)];
  return `export interface ${name} {\n${lines.map((each) => `  ${each}\n`).join("")}}\n`;
}

/** @param {Property} property */
function inBrowser(property) {
  const { key, type, required } = property;
  const isOptional = type === "action" || (!required && type !== "string" && type !== "object");
  return `${key}${isOptional ? "?" : ""}: ${browserType(property)}${isOptional ? " | undefined" : ""};`;
}

/** @param {Property} property */
function browserType({ key, type, isList, attributeTypes, returnType, variables }) {
  switch (type) {
    case "boolean":
    case "string":
      return type;
    case "enumeration":
      return `${upper(key)}Enum`;
    case "textTemplate":
      return "DynamicValue<string>";
    case "expression":
      return `DynamicValue<${attribute(returnType ?? "")}>`;
    case "datasource":
      if (isList) break;
      return "DynamicValue<ObjectItem>";
    case "attribute":
      return `EditableValue<${[...new Set(attributeTypes.map(attribute))].join(" | ")}>`;
    case "action":
      return variables.length === 0
        ? "ActionValue"
        : `ActionValue<{ ${variables.map(variable).join("; ")} }>`;
    case "object":
      return `${upper(key)}Type${isList ? "[]" : ""}`;
  }
  throw new Error(`There are no typings yet for ${key}, a property of type ${type}.`);
}

/** @param {Property} property */
function inStudio({ key, type, isList }) {
  /** @type {Record<string, string>} */
  const types = {
    boolean: "boolean",
    enumeration: `${upper(key)}Enum`,
    datasource: "object | null",
    action: "object | null",
    object: `${upper(key)}PreviewType${isList ? "[]" : ""}`,
  };
  return `${key}: ${types[type] ?? "string"};`;
}

/** @param {{ key: string, type: string }} variable */
function variable({ key, type }) {
  return `${key}: ${attribute(type)} | undefined`;
}

/** @param {string} type */
function attribute(type) {
  const found = ATTRIBUTES[type];
  if (!found) throw new Error(`There are no typings yet for the type ${type}.`);
  return found;
}

/** @param {string} text */
function upper(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
