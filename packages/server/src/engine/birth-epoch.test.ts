import { isEpoch, parseEpoch } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { BirthEpoch } from "./birth-epoch.js";

function bitsOf(hex: string) {
  return { bytes: () => new Uint8Array(Buffer.from(hex, "hex")), fraction: () => 0 };
}

describe("the birth epoch", () => {
  test("stays until it is renewed", () => {
    const epochs = new BirthEpoch(bitsOf("0123456789abcdef"));
    expect(epochs.current).toBe("0123456789abcdf0");
    expect(epochs.fresh()).toBe("0123456789abcdf1");
    expect(epochs.current).toBe("0123456789abcdf0");
    epochs.renew();
    expect(epochs.current).toBe("0123456789abcdf2");
  });

  test("counts over the end", () => {
    const epochs = new BirthEpoch(bitsOf("00000000ffffffff"));
    expect(epochs.current).toBe("0000000000000000");
    expect(isEpoch(epochs.fresh())).toBe(true);
  });

  test("tells epochs of this life from others", () => {
    const epochs = new BirthEpoch(bitsOf("0123456700000000"));
    expect(epochs.isOfThisLife(epochs.fresh())).toBe(true);
    expect(epochs.isOfThisLife(parseEpoch("0123456800000001"))).toBe(false);
  });
});
