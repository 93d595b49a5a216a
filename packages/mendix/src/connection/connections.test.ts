import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openPage } from "../testing/page.js";

const SERVER = { url: "/push", token: null };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the connections of a page", () => {
  test("are one for each server, whatever the number of widgets", () => {
    const page = openPage();
    page.connections.lease(SERVER);
    page.connections.lease({ ...SERVER });
    page.connections.lease({ ...SERVER, url: "/other" });
    expect(page.options.map(({ url }) => url)).toEqual(["/push", "/other"]);
  });

  test("show the session of the app, with its CSRF token", () => {
    const page = openPage();
    page.connections.lease(SERVER);
    expect(page.options[0]?.csrf?.()).toBe("the-csrf-token");
    expect(page.options[0]?.getToken).toBeUndefined();
  });

  test("show a token, and the newest of them when they are asked again", async () => {
    const page = openPage();
    const lease = page.connections.lease({ url: "/push", token: "one" });
    expect(await page.options[0]?.getToken?.({ signal: AbortSignal.abort() })).toBe("one");
    lease.renew("two");
    expect(await page.options[0]?.getToken?.({ signal: AbortSignal.abort() })).toBe("two");
    expect(page.options[0]?.csrf).toBeUndefined();
  });

  test("connect at once with a new token when the last one was refused", () => {
    const page = openPage();
    const lease = page.connections.lease({ url: "/push", token: "one" });
    page.client.is({ status: "closed", code: 4401, reason: "The token has expired.", remedy: "Log in." });
    lease.renew("one");
    expect(page.client.connects).toBe(0);
    lease.renew("two");
    expect(page.client.connects).toBe(1);
  });

  test("close when the last widget has gone, and nobody has come in the meantime", () => {
    const page = openPage();
    const first = page.connections.lease(SERVER);
    const second = page.connections.lease(SERVER);
    first.release();
    first.release();
    vi.runAllTimers();
    expect(page.client.connection.status).toBe("idle");
    second.release();
    const third = page.connections.lease(SERVER);
    vi.runAllTimers();
    expect(page.client.connection.status).toBe("idle");
    third.release();
    vi.runAllTimers();
    expect(page.client.connection.status).toBe("closed");
    page.connections.lease(SERVER);
    expect(page.clients).toHaveLength(2);
  });

  test("try again for a new widget where the server had sent the page away", () => {
    const page = openPage();
    page.connections.lease(SERVER);
    page.client.is({ status: "closed", code: 4401, reason: "The session has ended.", remedy: "Log in." });
    page.connections.lease(SERVER);
    expect(page.client.connects).toBe(1);
  });
});
