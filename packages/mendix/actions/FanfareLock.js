// A JavaScript action for Studio Pro: create one with this name and these parameters, and copy imports and marked parts into it.
// Before Mendix 11.8, which has no mendix/session, take this instead of its import:
// const getCSRFToken = () => window.mx.session.getConfig("csrftoken");
import { Big } from "big.js";
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
 * Takes a lock, or renews it: answers with its token, which renews and unlocks it, or with empty when somebody else has it.
 *
 * @param {string} server path of the server; empty for /push
 * @param {string} name for example order:42
 * @param {Big} seconds how long it lasts unless it is renewed
 * @param {Big} token empty to take it, the token to renew it
 * @returns {Promise.<Big>}
 */
export async function FanfareLock(server, name, seconds, token) {
  // BEGIN USER CODE
  const answer = await call(server, "PUT", `/locks/${encodeURIComponent(name)}`, {
    leaseSeconds: Number(seconds),
    ...(token && { token: Number(token) }),
  });
  if (answer.status === 409) return undefined;
  if (answer.status !== 200) throw failure(answer);
  return new Big(answer.body.token);
  // END USER CODE
}
