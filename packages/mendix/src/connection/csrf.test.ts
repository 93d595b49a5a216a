import { describe, expect, test } from "vitest";
import { csrfToken } from "./csrf.js";

describe("the CSRF token", () => {
  test("comes from mendix/session where that has it", () => {
    const older = { sessionData: { csrftoken: "older" } };
    expect(csrfToken({ getCSRFToken: () => "newer" }, older)).toBe("newer");
  });

  test("comes from the session's settings, or from its data, in older versions", () => {
    const getConfig = (key: string) => (key === "csrftoken" ? "settings" : undefined);
    expect(csrfToken({}, { session: { getConfig }, sessionData: { csrftoken: "data" } })).toBe("settings");
    expect(csrfToken({}, { session: {}, sessionData: { csrftoken: "data" } })).toBe("data");
  });

  test("is left out where there is none", () => {
    expect(csrfToken({}, undefined)).toBeUndefined();
    expect(csrfToken({ getCSRFToken: () => "" }, { sessionData: {} })).toBeUndefined();
  });
});
