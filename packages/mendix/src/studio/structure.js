/**
 * How both widgets look in Studio Pro's structure mode, and which properties they hide. Studio Pro knows ES5 only, and nothing translates
 * for it: so this is written in ES5, but for the modules.
 *
 * @typedef {import("./api.js").Part} Part
 * @typedef {import("./api.js").PropertyGroup} PropertyGroup
 */

/**
 * A line of the preview: what, and where it goes.
 *
 * @typedef {{ readonly what: string, readonly how: string }} Line
 */

/**
 * Takes out the properties that have no meaning now.
 *
 * @param {PropertyGroup[]} groups
 * @param {string[]} keys
 */
export function without(groups, keys) {
  groups.forEach(function (group) {
    if (group.propertyGroups) without(group.propertyGroups, keys);
    if (!group.properties) return;
    group.properties = group.properties.filter(function (property) {
      return keys.indexOf(property.key) < 0;
    });
  });
  return groups;
}

/**
 * A box with the widget's name, and a line for each thing that is configured.
 *
 * @param {string} title
 * @param {Line[]} lines
 * @param {boolean} isDark
 * @returns {Part}
 */
export function structure(title, lines, isDark) {
  var strong = isDark ? "#f2f4f8" : "#17202e";
  var faint = isDark ? "#a9b4c6" : "#59657a";
  return {
    type: "RowLayout",
    columnSize: "fixed",
    borders: true,
    borderRadius: 4,
    backgroundColor: isDark ? "#252c38" : "#f5f7fb",
    padding: 6,
    children: [
      { type: "Image", document: picture(isDark ? "#8fb4ff" : "#2355c4"), width: 20, height: 20 },
      {
        type: "Container",
        padding: 2,
        children: [text(title, strong, true)].concat(
          lines.map(function (line) {
            return text(line.what + " → " + line.how, faint, false);
          })
        ),
      },
    ],
  };
}

/**
 * @param {string} content
 * @param {string} fontColor
 * @param {boolean} bold
 * @returns {Part}
 */
function text(content, fontColor, bold) {
  return { type: "Text", content: content, fontColor: fontColor, bold: bold, fontSize: bold ? 10 : 8 };
}

/**
 * A source, and the waves that go out from it.
 *
 * @param {string} colour
 */
function picture(colour) {
  return (
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20" viewBox="0 0 20 20" fill="none" stroke="' +
    colour +
    '" stroke-width="2" stroke-linecap="round"><circle cx="4.5" cy="10" r="2.5" fill="' +
    colour +
    '" stroke="none"/><path d="M9 6.5a5 5 0 0 1 0 7M12.2 4a8.6 8.6 0 0 1 0 12M15.4 1.6a12.2 12.2 0 0 1 0 16.8"/></svg>'
  );
}
