/**
 * The widget Fanfare Simple in Studio Pro: what it asks for, what it shows, what is wrong. In ES5, as `studio/structure.js` says.
 *
 * @typedef {import("../typings/FanfareSimpleProps.js").FanfareSimplePreviewProps} Values
 * @typedef {import("./studio/api.js").Problem} Problem
 * @typedef {import("./studio/api.js").PropertyGroup} PropertyGroup
 * @typedef {import("./studio/structure.js").Line} Line
 */
import { checkChannel, checkLogin } from "./studio/checks.js";
import { structure, without } from "./studio/structure.js";

/**
 * @param {Values} values
 * @param {PropertyGroup[]} groups
 */
export function getProperties(values, groups) {
  var hidden = values.login === "session" ? ["token"] : [];
  if (!values.showIndicator) hidden.push("connectedText", "lostText");
  return without(groups, hidden);
}

/** @param {Values} values */
export function check(values) {
  /** @type {Problem[]} */
  var problems = [];
  if (values.subscriptionId === "") {
    problems.push({
      property: "subscriptionId",
      severity: "error",
      message: "Give the channel to listen to, for example broadcast or user:{1}.",
    });
  } else problems = checkChannel("subscriptionId", values.subscriptionId);
  problems = problems.concat(checkLogin(values));
  if (lines(values).length === 0) {
    problems.push({
      property: "onMessage",
      severity: "warning",
      message: "Nothing happens with what is received. Choose an attribute or an action.",
    });
  }
  return problems;
}

/**
 * @param {Values} values
 * @param {boolean} isDark
 */
export function getPreview(values, isDark) {
  return structure(getCustomCaption(values), lines(values), isDark);
}

/** @param {Values} values */
export function getCustomCaption(values) {
  return "Fanfare: " + (values.subscriptionId || "[no channel]");
}

/** @param {Values} values */
function lines(values) {
  /** @type {Line[]} */
  var found = [];
  if (values.message !== "") found.push({ what: "Message", how: values.message });
  if (values.onMessage) found.push({ what: "Message", how: "action" });
  return found;
}
