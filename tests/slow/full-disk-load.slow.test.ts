/**
 * A disk that fills up under load: publishers are told so, nothing that was acknowledged is lost, the process lives, and it
 * goes on when there is room. Needs root, to make a small disk of its own.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { KEY, KillableServer } from "../crash/server.js";

const MiB = 2 ** 20;
/** So large that it is reached by nobody: the disk is full before. */
const ROOM = { FANFARE_LIMITS_HISTORY_BYTES: String(2 ** 40) };
const RULES = JSON.stringify([{ channels: "**", history: 100_000, historySeconds: 86_400 }]);
const DATA = "x".repeat(20_000);
const CHANNELS = ["order:1", "order:2", "ticker"];
const CALLERS = 16;

test.skipIf(process.getuid?.() !== 0)(
  "a full disk refuses publishers and loses nothing",
  async () => {
    const disk = mkdtempSync(join(tmpdir(), "fanfare-small-disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=192m", "tmpfs", disk]);
    onTestFinished(() => {
      execFileSync("umount", [disk]);
      rmdirSync(disk);
    });
    const [dataDir, ballast] = [join(disk, "data"), join(disk, "ballast")];
    rmSync(dataDir, { recursive: true, force: true });
    const server = await KillableServer.make(dataDir, { ...ROOM, FANFARE_RULES: RULES });
    onTestFinished(async () => {
      await server.kill();
      rmSync(dataDir, { recursive: true, force: true });
      rmSync(ballast, { force: true });
    });
    await server.start();

    const acknowledged = new Map(CHANNELS.map((channel) => [channel, new Map<number, string>()]));
    let count = 0;
    const publish = async () => {
      const channel = CHANNELS[count % CHANNELS.length] ?? "";
      const data = `${count++} ${DATA}`;
      const response = await fetch(`${server.url}/channels/${channel}/messages`, {
        method: "POST",
        headers: { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" },
        body: JSON.stringify({ data }),
      });
      const answer = (await response.json()) as { offset: number; code: string; remedy: string };
      if (response.status === 201) acknowledged.get(channel)?.set(answer.offset, data);
      return { status: response.status, ...answer };
    };
    const publishUntilRefused = async () => {
      for (;;) {
        const answer = await publish();
        if (answer.status !== 201) return answer;
      }
    };
    const total = () => [...acknowledged.values()].reduce((sum, { size }) => sum + size, 0);
    const free = () => Math.floor((statfsSync(disk).bavail * statfsSync(disk).bsize) / MiB);
    const status = async () => (await (await fetch(`${server.url}/health`)).json()) as { status: string };

    // Until the disk is full but for the reserve.
    const refused = await Promise.all(Array.from({ length: CALLERS }, publishUntilRefused));
    for (const answer of refused) expect(answer).toMatchObject({ status: 507, code: "insufficient_storage" });
    expect(await status()).toEqual({ status: "full" });
    const figures = [`${total()} acknowledged until 507 with ${free()} MiB free`];

    // Somebody else takes the reserve, too.
    writeFileSync(ballast, Buffer.alloc((free() - 1) * MiB));
    for (let again = 0; again < 50; again++) expect(await publish()).toMatchObject({ status: 507 });
    expect(await (await fetch(`${server.url}/health/live`)).json()).toEqual({ status: "live" });
    await check();
    figures.push(`none lost with ${free()} MiB free`);

    // There is room again: somebody has made the disk larger.
    rmSync(ballast);
    execFileSync("mount", [
      "-o",
      `remount,size=${statfsSync(disk).blocks * statfsSync(disk).bsize + 64 * MiB}`,
      disk,
    ]);
    const before = total();
    await vi.waitUntil(async () => (await status()).status === "ready", { timeout: 5000 });
    expect(await publish()).toMatchObject({ status: 201 });
    await server.kill();
    await server.start();
    await check();
    expect(total()).toBe(before + 1);
    console.log(`${figures.join("; ")}; published again with ${free()} MiB free`);

    /** What was acknowledged stands where it was said to stand. */
    async function check(): Promise<void> {
      for (const [channel, messages] of acknowledged) {
        const found = new Map<number, string>();
        let after = "";
        for (;;) {
          const url = `${server.url}/channels/${channel}/messages?limit=200${after}`;
          const page = (await (await fetch(url)).json()) as Page;
          for (const { offset, data } of page.messages) found.set(offset, data);
          if (page.messages.length === 0) break;
          after = `&after=${page.epoch}:${page.messages.at(-1)?.offset}`;
        }
        for (const [offset, data] of messages) expect(found.get(offset) === data).toBe(true);
      }
    }
  },
  120_000,
);

interface Page {
  readonly epoch: string;
  readonly messages: readonly { readonly offset: number; readonly data: string }[];
}
