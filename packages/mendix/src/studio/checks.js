/**
 * Checks of both widgets in Studio Pro. In ES5, as `structure.js` says.
 *
 * @typedef {import("./api.js").Problem} Problem
 */

var CHANNEL = /^[\w\-.=@,;~]+(:[\w\-.=@,;~]+)*$/;
var MAX_LENGTH = 200;

/**
 * Can a channel have this name? Parameters of a template stand for any value.
 *
 * @param {string} property
 * @param {string} template
 * @returns {Problem[]}
 */
export function checkChannel(property, template) {
  var example = template.replace(/\{[^}]*\}/g, "1");
  if (CHANNEL.test(example) && example.length <= MAX_LENGTH) return [];
  return [
    {
      property: property,
      severity: "error",
      message:
        '"' +
        template +
        '" cannot name a channel. Use up to 200 of A-Z a-z 0-9 _ - . = @ , ; ~ in parts split by colons, such as order:{1}.',
    },
  ];
}

/**
 * @param {{ readonly login: "session" | "token", readonly token: string }} values
 * @returns {Problem[]}
 */
export function checkLogin(values) {
  if (values.login === "session" || values.token !== "") return [];
  return [
    {
      property: "token",
      severity: "error",
      message: "Give the expression that has the token, or let the session of this app say who the user is.",
    },
  ];
}

/**
 * Entries of a list that have no name, or one that another has.
 *
 * @param {string} list
 * @param {string} key
 * @param {string[]} names
 */
export function checkNames(list, key, names) {
  /** @type {Problem[]} */
  var problems = [];
  names.forEach(function (name, index) {
    var property = list + "/" + (index + 1) + "/" + key;
    if (name === "") {
      problems.push({ property: property, severity: "error", message: "Give it a name." });
    } else if (names.indexOf(name) < index) {
      problems.push({
        property: property,
        severity: "error",
        message: "There are two for " + name + ". Join them into one.",
      });
    }
  });
  return problems;
}
