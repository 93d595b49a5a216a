/** What the server counts for each thing is what it costs, within 15 %: measured in a process of its own by `bench/memory.mjs`. */
import { expect, test } from "vitest";
import { measureAll } from "../../bench/memory.mjs";

test("what is counted is what the heap grows by, within 15 %", async () => {
  for (const { name, heap, counted } of await measureAll()) {
    expect(counted / heap, `${name}: ${counted} bytes are counted, and it costs ${heap}`).toBeGreaterThan(
      0.85,
    );
    expect(counted / heap, `${name}: ${counted} bytes are counted, and it costs ${heap}`).toBeLessThan(1.15);
  }
}, 300_000);
