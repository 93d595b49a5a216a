/** The rooms of the server, and which way their doors open: ARCHITECTURE.md draws the same. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** A room imports from those above it only. */
const ROOMS = [
  "base",
  // Frames of WebSockets: knows nothing of the application.
  "doors/rfc6455",
  ...["engine", "engine/memory", "engine/hostile", "engine/remote", "engine/disk/store", "engine/disk"],
  ...["hub/terms", "hub/log", "hub/delivery", "hub/presence", "hub"],
  "locks",
  ...["access/grants", "access/tokens", "access/store", "access/control", "access/rates", "access"],
  "backup",
  "feathers",
  "wire",
  ...["doors", "doors/session", "doors/websocket", "doors/sse", "doors/socketio"],
  ...["http/exchange", "metrics", "http/routes", "http"],
  "library",
  "config",
  ...["cli/shared", "cli/serving", "cli/commands", "cli"],
  // What applications import: index.ts alone.
  ".",
];
/** Rooms side by side: none of a group knows another. */
const SIBLINGS = [
  ["doors/websocket", "doors/sse", "doors/socketio"],
  ["engine/memory", "engine/hostile"],
  ["engine/disk", "engine/hostile", "engine/remote"],
  ["engine/memory", "engine/remote"],
  ["access/tokens", "access/store", "access/rates"],
  ["cli/shared", "cli/serving"],
];
/** Which rooms each room imports from, and no others; rooms within rooms count as the room around them. */
const IMPORTS: Readonly<Record<string, string>> = {
  base: "",
  engine: "base",
  hub: "base engine",
  locks: "base engine hub",
  access: "base engine hub",
  backup: "base engine",
  feathers: "base engine hub access",
  wire: "base hub",
  doors: "base engine hub locks access feathers wire",
  metrics: "base engine hub locks access wire",
  http: "base engine hub locks access feathers wire doors metrics",
  library: "base engine hub locks access feathers wire doors http",
  config: "base engine access doors library",
  cli: "base engine hub access backup wire library config",
  ".": "base engine hub access feathers doors library",
};
const MOST_FILES = 25;

const ROOT = fileURLToPath(new URL("../packages/server/src/", import.meta.url));
const IMPORT = /^(?:import|export)\b[^;]*?\bfrom "(\.[^"]+)";|\bimport\("(\.[^"]+)"\)/gm;
/** What only tests use may look everywhere. */
const isOfTests = (file: string) => /^testing\/|\/contract\/|\.(?:test|contract)\.ts$/.test(file);

const files = readdirSync(ROOT, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !isOfTests(file))
  .sort();

/** `base` of `base/clock.ts`, `doors` of `doors/sse/door.ts`. */
const roomOf = (file: string) => dirname(file).split("/")[0] ?? "";

function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  return [...text.matchAll(IMPORT)].map(([, from, dynamic]) =>
    normalize(join(dirname(file), from ?? dynamic ?? "")).replace(/\.js$/, ".ts"),
  );
}

test("no file imports against the arrows, so no two rooms stand in a circle", () => {
  const against = files.flatMap((file) =>
    importsOf(file)
      .filter((other) => {
        const [from, to] = [dirname(file), dirname(other)];
        if (from === to) return false;
        const areSiblings = SIBLINGS.some((group) => group.includes(from) && group.includes(to));
        return areSiblings || ROOMS.indexOf(to) > ROOMS.indexOf(from);
      })
      .map((other) => `${file} imports ${other}`),
  );
  expect(against).toEqual([]);
});

test("each room imports from the rooms that are listed for it, and from each of them", () => {
  const used = Object.keys(IMPORTS).map((room) => {
    const others = files
      .filter((file) => roomOf(file) === room)
      .flatMap((file) => importsOf(file).map(roomOf));
    const known = Object.keys(IMPORTS).filter((other) => other !== room && others.includes(other));
    return [room, known.join(" ")];
  });
  expect(Object.fromEntries(used)).toEqual(IMPORTS);
  expect(Object.keys(IMPORTS)).toEqual(expect.arrayContaining(files.map(roomOf)));
});

test("each room is in the list, and has at most 25 files", () => {
  const rooms = files.map((file) => dirname(file));
  expect([...new Set(rooms)].sort()).toEqual([...ROOMS].sort());
  expect(ROOMS.filter((room) => rooms.filter((each) => each === room).length > MOST_FILES)).toEqual([]);
});

test("applications import index.ts, and no file inside does", () => {
  expect(files.filter((file) => dirname(file) === ".")).toEqual(["index.ts"]);
  expect(files.filter((file) => importsOf(file).includes("index.ts"))).toEqual([]);
  expect(importsOf("index.ts").length).toBeGreaterThan(10);
});
