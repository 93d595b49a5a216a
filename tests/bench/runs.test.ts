/** Which runs count. */
import { describe, expect, test } from "vitest";
import { type Run, untilValid } from "../../bench/measure.mjs";
import { FANFARE, plan } from "../../bench/plan.mjs";
import { table } from "../../bench/report.mjs";

const run = (cpu: number, isVoid: boolean): Run => ({
  figures: { cpu },
  generator: isVoid ? 0.81 : 0.8,
  waited: 0,
  isVoid,
});

/** Answers with these runs, one after the other, and fails when more are made. */
function making(...runs: Run[]): () => Promise<Run> {
  return async () => {
    const next = runs.shift();
    if (!next) throw new Error("one run too many");
    return next;
  };
}

describe("a run", () => {
  test("that is valid is made once", async () => {
    expect(await untilValid(making(run(1, false)))).toEqual([run(1, false)]);
  });

  test("that is void is repeated until one is valid", async () => {
    expect(await untilValid(making(run(1, true), run(2, false)))).toEqual([run(1, true), run(2, false)]);
  });

  test("that stays void is given up after two repetitions", async () => {
    const voids = [run(1, true), run(2, true), run(3, true)];
    expect(await untilValid(making(...voids))).toEqual(voids);
  });

  test("that failed is not repeated", async () => {
    const failed = { ...run(1, false), trouble: "the server ended" };
    expect(await untilValid(making(failed))).toEqual([failed]);
  });
});

describe("a table", () => {
  const [act] = plan(true, 20_000);
  if (!act) throw new Error("there is no scenario");
  const rowOf = (...runs: Run[]) => {
    const lines = table({ ...act, peers: [FANFARE] }, new Map([[FANFARE.name, runs]])).split("\n");
    return { cells: lines.find((line) => line.startsWith("| Fanfare"))?.split(" | "), last: lines.at(-1) };
  };

  test("leaves void runs out of its figures, and counts them", () => {
    const { cells, last } = rowOf(run(90, true), run(2, false), run(4, false));
    expect(cells?.[1]).toBe("**3.00** (2.00–4.00)");
    expect(last).toBe("- Fanfare: 1 of 3 runs void, the generator was too busy.");
  });

  test("has no figures when all runs are void", () => {
    const { cells, last } = rowOf(run(90, true), run(91, true), run(92, true));
    expect(cells?.[1]).toBe("–");
    expect(last).toBe("- Fanfare: 3 of 3 runs void, the generator was too busy.");
  });
});
