import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { aFolder } from "../../../testing/a-folder.js";
import { LOCK_SOCKET, lockFolder } from "./process-lock.js";

test("a folder is held by one process, which others are told, and free once it is released", async () => {
  const folder = aFolder();
  const lock = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toMatchObject({
    code: "data_dir_in_use",
    message: expect.stringContaining(String(process.pid)),
  });
  await lock.release();
  await (await lockFolder(folder)).release();
});

test("others that ask and are gone before the answer disturb nothing", async () => {
  const folder = aFolder();
  const lock = await lockFolder(folder);
  const thrown: unknown[] = [];
  const keep = (error: unknown) => void thrown.push(error);
  process.on("uncaughtExceptionMonitor", keep);
  onTestFinished(() => void process.off("uncaughtExceptionMonitor", keep));
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      const socket = connect(join(folder, LOCK_SOCKET));
      await once(socket, "connect");
      socket.destroy();
      await once(socket, "close");
    }),
  );
  await expect(lockFolder(folder)).rejects.toMatchObject({ code: "data_dir_in_use" });
  expect(thrown).toEqual([]);
  await lock.release();
});

test("one that asks and stays does not keep the folder from being released", async () => {
  const folder = aFolder();
  const lock = await lockFolder(folder);
  const socket = connect({ path: join(folder, LOCK_SOCKET), allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  const [text] = await once(socket, "data");
  expect(String(text)).toBe(String(process.pid));
  await lock.release();
});
