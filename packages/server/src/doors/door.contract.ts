/**
 * What every door promises, whatever its protocol: clients get what the hub says of their channels, once, in order, and
 * know what they do not have. A door's test starts a server, and says what a client of its protocol can do.
 */
import { describe } from "vitest";
import type { FanfareOptions } from "../library/options.js";
import { lettingAllIn } from "../testing/let-in.js";
import { accessContract } from "./contract/access.contract.js";
import { changesContract } from "./contract/changes.contract.js";
import { deliveryContract } from "./contract/delivery.contract.js";
import type { DoorUnderTest, Open } from "./contract/harness.contract.js";
import { positionsContract } from "./contract/positions.contract.js";
import { ratesContract } from "./contract/rates.contract.js";
import { recoveryContract } from "./contract/recovery.contract.js";
import { serverContract } from "./contract/server.contract.js";
import { startContract } from "./contract/start.contract.js";
import type { DoorCapabilities } from "./door.js";

export type { Delivered, DoorClient, DoorUnderTest, Ended } from "./contract/harness.contract.js";

/**
 * @param can what the door says of itself
 * @param start a server with this door and these options; the options leave `path`, `engine` and `clock` to the door. It
 * ends with the test
 */
export function doorContract(
  name: string,
  can: DoorCapabilities,
  start: (options: FanfareOptions) => Promise<DoorUnderTest>,
): void {
  describe(`the door contract, kept by the ${name} door`, () => {
    const open: Open = (options = {}) => start(lettingAllIn(options));
    deliveryContract(open, can);
    recoveryContract(open, can);
    accessContract(open, can);
    changesContract(open, can);
    startContract(open, can);
    ratesContract(open, can);
    serverContract(open);
    positionsContract(open, can);
  });
}
