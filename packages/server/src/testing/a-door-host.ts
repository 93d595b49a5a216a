/** Everything that a door is given, on a clock that stands still; and a transport that notes what its session tells it. */
import type { ChannelName, FanfareError } from "@fanfare/protocol";
import { onTestFinished } from "vitest";
import { Access } from "../access/access.js";
import { Entrance, type EntranceOptions, entranceSettings } from "../access/entrance.js";
import type { Caller } from "../access/grants/addresses.js";
import { type AccessOptions, accessSettings } from "../access/settings.js";
import { ACCESS_SPACE, AccessStore } from "../access/store/store.js";
import { systemRandom } from "../base/clock.js";
import { Failures } from "../base/failures.js";
import type { Log } from "../base/log.js";
import { TimingWheel } from "../base/timing-wheel.js";
import { Clients } from "../doors/clients.js";
import type { DoorHost } from "../doors/door.js";
import type { ClientEncoding, ClientTransport, Closing } from "../doors/session/transport.js";
import { Sessions } from "../hub/sessions.js";
import { Arriving } from "../wire/arriving.js";
import { Bodies } from "../wire/bodies.js";
import { aHub, type HubOptionsForTests } from "./a-hub.js";
import type { FakeClock } from "./fake-clock.js";
import { type Frame, LineEncoding, line } from "./fake-subscriber.js";

export interface DoorHostForTests extends DoorHost {
  readonly clock: FakeClock;
  /** The messages that were logged. */
  readonly logged: string[];
}

/** The caller of a test: from an address whose rates count. */
export const CALLER: Caller = { address: "203.0.113.7", line: "203.0.113.7" };

export function aDoorHost(
  options: AccessOptions = {},
  { rates, ...ofHub }: HubOptionsForTests & Pick<EntranceOptions, "rates"> = {},
): DoorHostForTests {
  const all = aHub(ofHub);
  const { hub, locks, sequences, clock } = all;
  const logged: string[] = [];
  const note = (_fields: object, message: string) => void logged.push(message);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const failures = new Failures(log);
  const entrance = new Entrance(entranceSettings({ rates }), { clock, random: systemRandom, log });
  const access = new Access({
    settings: accessSettings(options),
    store: new AccessStore({ space: hub.engine.space(ACCESS_SPACE), clock, log }),
    engine: hub.engine,
    rates: entrance.rates,
    refusals: entrance.refusals,
    failures,
    clock,
    random: systemRandom,
    log,
  });
  const sessions = new Sessions(hub);
  const wheel = new TimingWheel(clock);
  onTestFinished(() => {
    wheel.stop();
    sessions.close();
    access.close();
    all.close();
  });
  const arriving = new Arriving({ clock, maxBytes: 1024 });
  return {
    hub,
    locks,
    sequences,
    sessions,
    access,
    entrance,
    log,
    failures,
    wheel,
    clients: new Clients({ hub, access, entrance, log }),
    arriving,
    bodies: new Bodies(arriving),
    clock,
    logged,
  };
}

class NotingEncoding extends LineEncoding implements ClientEncoding {
  readonly grants = line({ type: "answer", text: "grants" });

  unsubscribed(channel: ChannelName, { code }: FanfareError): Uint8Array {
    return line({ type: "answer", text: `unsubscribed ${channel} ${code}` });
  }
}

/** Writes into a list, and is never full. */
export class FakeTransport implements ClientTransport {
  readonly door = "websocket";
  readonly encoding = new NotingEncoding();
  readonly waitingBytes = 0;
  readonly sink = this;
  readonly frames: Frame[] = [];
  /** How it was closed, each with its code and message; and that it was destroyed. */
  readonly closings: string[] = [];
  isClosing = false;

  write(bytes: Uint8Array): boolean {
    for (const text of new TextDecoder().decode(bytes).split("\n")) {
      if (text !== "") this.frames.push(JSON.parse(text) as Frame);
    }
    return true;
  }
  cork(): void {}
  uncork(): void {}
  pauseReading(): void {}
  resumeReading(): void {}
  close({ close, error }: Closing): void {
    this.isClosing = true;
    this.closings.push(`${close.code} ${error.code}`);
  }
  destroy(): void {
    this.isClosing = true;
    this.closings.push("destroyed");
  }

  /** The texts of the answers. */
  get answers(): string[] {
    return this.frames.flatMap((frame) => (frame.type === "answer" ? [frame.text] : []));
  }
}
