/**
 * The widget Fanfare in Studio Pro: what it asks for, what it shows, what is wrong. In ES5, as `studio/structure.js` says.
 *
 * @typedef {import("../typings/FanfareProps.js").FanfarePreviewProps} Values
 * @typedef {import("./studio/api.js").Problem} Problem
 * @typedef {import("./studio/api.js").PropertyGroup} PropertyGroup
 * @typedef {import("./studio/structure.js").Line} Line
 */
import { checkChannel, checkLogin, checkNames } from "./studio/checks.js";
import { structure, without } from "./studio/structure.js";

/**
 * @param {Values} values
 * @param {PropertyGroup[]} groups
 */
export function getProperties(values, groups) {
  var hidden = values.channelBy === "object" ? ["channelName"] : ["messageObject", "objectPrefix"];
  if (values.login === "session") hidden.push("token");
  if (!values.showIndicator) hidden.push("connectedText", "lostText");
  return without(groups, hidden);
}

/** @param {Values} values */
export function check(values) {
  var problems = checkSource(values)
    .concat(checkLogin(values))
    .concat(
      checkNames(
        "attributes",
        "key",
        values.attributes.map(function (each) {
          return each.key;
        })
      )
    )
    .concat(
      checkNames(
        "handlers",
        "event",
        values.handlers.map(function (each) {
          return each.event;
        })
      )
    );
  values.handlers.forEach(function (handler, index) {
    if (handler.action) return;
    problems.push({
      property: "handlers/" + (index + 1) + "/action",
      severity: "warning",
      message: "Messages with the event " + handler.event + " run no action. Choose one.",
    });
  });
  if (lines(values).length === 0) {
    problems.push({
      property: "onReceive",
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
  return "Fanfare: " + channel(values);
}

/** @param {Values} values */
function channel(values) {
  if (values.channelBy === "name") return values.channelName || "[no channel]";
  return values.messageObject ? values.objectPrefix + "[id of the object]" : "[no object]";
}

/**
 * @param {Values} values
 * @returns {Problem[]}
 */
function checkSource(values) {
  if (values.channelBy === "object") {
    if (values.messageObject) return checkChannel("objectPrefix", values.objectPrefix + "1");
    return [
      {
        property: "messageObject",
        severity: "error",
        message: "Choose the object whose channel it is, or let a name say which channel.",
      },
    ];
  }
  if (values.channelName !== "") return checkChannel("channelName", values.channelName);
  return [
    {
      property: "channelName",
      severity: "error",
      message: "Give the channel, for example order:{1}, or let an object say which channel.",
    },
  ];
}

/** @param {Values} values */
function lines(values) {
  /** @type {Line[]} */
  var found = [];
  /**
   * @param {string} what
   * @param {string} how
   */
  function add(what, how) {
    if (how !== "") found.push({ what: what, how: how });
  }
  add("Text1", values.text1);
  add("Text2", values.text2);
  add("Text3", values.text3);
  add("Progress", values.progress);
  add("Busy", values.busy);
  add("Value", values.value);
  add("Datetime", values.datetime);
  add("How many are here", values.present);
  add("Who is here", values.presentUsers);
  values.attributes.forEach(function (each) {
    add(each.key, each.attribute);
  });
  values.handlers.forEach(function (each) {
    add(each.event, each.action ? "action" : "");
  });
  add("Update", values.onReceive ? "action" : "");
  add("Presence", values.onPresence ? "action" : "");
  add("Subscribed", values.onSubscribed ? "action" : "");
  add("Missed messages", values.onMissed ? "action" : "");
  add("Connection lost", values.onLost ? "action" : "");
  add("Refused", values.onRefused ? "action" : "");
  add("Leave", values.onLeave ? "action" : "");
  return found;
}
