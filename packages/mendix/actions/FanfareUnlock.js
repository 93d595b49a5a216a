// A JavaScript action for Studio Pro: create one with this name and these parameters, and copy imports and marked parts into it.
// Before Mendix 11.8, which has no mendix/session, take this instead of its import:
// const getCSRFToken = () => window.mx.session.getConfig("csrftoken");
import { getCSRFToken } from "mendix/session";

// BEGIN EXTRA CODE
/** Calls Fanfare as the user of this session; the answer is {status, body}. */
async function call(server, method, path, body) {
  const answer = await fetch(`${server || "/push"}${path}`, {
    method,
    headers: { "Content-Type": "application/json", "X-Csrf-Token": getCSRFToken() },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === "" ? {} : JSON.parse(text) };
}

/** What a nanoflow's error handling gets. */
function failure({ status, body }) {
  return new Error(`Fanfare answered ${status}: ${body.detail}. ${body.remedy}`);
}
// END EXTRA CODE

/**
 * Lets go of a lock: answers false when it was lost before.
 *
 * @param {string} server path of the server; empty for /push
 * @param {string} name for example order:42
 * @param {Big} token the one that FanfareLock has answered with
 * @returns {Promise.<boolean>}
 */
export async function FanfareUnlock(server, name, token) {
  // BEGIN USER CODE
  const answer = await call(server, "DELETE", `/locks/${encodeURIComponent(name)}?token=${token}`);
  if (answer.status === 409) return false;
  if (answer.status !== 204) throw failure(answer);
  return true;
  // END USER CODE
}
