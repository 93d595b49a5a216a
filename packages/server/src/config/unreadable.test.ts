import fs, { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { watched } from "../testing/watched-builtin.js";
import { loadConfig } from "./config.js";

test.each(["json", "yaml", "ts"])(
  "a .%s file that this user may not read is told from one that is wrong",
  async (extension) => {
    const folder = mkdtempSync(join(tmpdir(), "fanfare-config-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const name = `fanfare.config.${extension}`;
    writeFileSync(join(folder, name), "port: 1");
    // Tests that run as root may read every file; so it is the system that is told to refuse here.
    watched(() => vi.spyOn(fs, "accessSync")).mockImplementation(() => {
      throw Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
    });
    await expect(loadConfig({ folder, environment: {}, flags: {} })).rejects.toMatchObject({
      problems: [
        expect.stringMatching(new RegExp(`^${name} may not be read by this user\\. Let its owner be`)),
      ],
    });
  },
);
