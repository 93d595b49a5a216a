import { expect, test } from "vitest";
import { type Reader, Reading } from "./reading.js";

/** A reader that notes what it is told. */
function noting(handle: (frame: string) => void = () => {}) {
  const told: string[] = [];
  const reader: Reader<Buffer> & { isClosing: boolean } = {
    isClosing: false,
    handle(frame) {
      told.push(frame.toString());
      handle(frame.toString());
    },
    stopReading: () => told.push("stop"),
    readAgain: () => told.push("again"),
  };
  return { told, reader, reading: new Reading(reader) };
}

test("frames that were read already wait, and come first, in order", () => {
  const { told, reading } = noting();
  reading.isAsking = true;
  for (const frame of ["a", "b"]) reading.take(Buffer.from(frame));
  expect(told).toEqual(["stop"]);
  reading.isAsking = false;
  reading.take(Buffer.from("c"));
  expect(told).toEqual(["stop", "a", "b", "again", "c"]);
});

test("it goes on when the last reason not to is gone", () => {
  const { told, reading } = noting();
  reading.answersWait = true;
  reading.publishing(256 * 1024);
  reading.answersWait = false;
  expect(told).toEqual(["stop"]);
  reading.publishing(-1);
  expect(told).toEqual(["stop", "again"]);
});

test("a frame that was held may be a reason to stop again; the others wait on", () => {
  const { told, reading } = noting((frame) => {
    if (frame === "a") reading.answersWait = true;
  });
  reading.isAsking = true;
  for (const frame of ["a", "b"]) reading.take(Buffer.from(frame));
  reading.isAsking = false;
  expect(told).toEqual(["stop", "a", "stop"]);
  reading.answersWait = false;
  expect(told).toEqual(["stop", "a", "stop", "b", "again"]);
});

test("whoever closes handles nothing any more, and reads on for the closing handshake", () => {
  const { told, reading, reader } = noting();
  reading.isAsking = true;
  reading.take(Buffer.from("a"));
  reader.isClosing = true;
  reading.take(Buffer.from("b"));
  reading.isAsking = false;
  expect(told).toEqual(["stop"]);
});
