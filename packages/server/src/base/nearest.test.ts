import { expect, test } from "vitest";
import { nearest } from "./nearest.js";

const KNOWN = ["port", "path", "apiKeys", "limits.connections", "limits.messageBytes", "FANFARE_PORT"];

test.each([
  ["prot", "port"],
  ["Port", "port"],
  ["api_keys", "apiKeys"],
  ["limits.conections", "limits.connections"],
  ["connections", "limits.connections"],
  ["message-bytes", "limits.messageBytes"],
  ["FANFARE_PROT", "FANFARE_PORT"],
])("%s stands for %s", (name, known) => {
  expect(nearest(name, KNOWN)).toBe(known);
});

test.each(["", "x", "tls", "certificate", "FANFARE_URL", `port${"t".repeat(100)}`])(
  "%j stands for nothing",
  (name) => {
    expect(nearest(name, KNOWN)).toBeUndefined();
  },
);
