import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { FanfareSimpleContainerProps } from "../typings/FanfareSimpleProps.js";
import { FanfareSimpleWidget } from "./fanfare-simple-widget.js";
import { FanfareWidget } from "./fanfare-widget.js";
import { available, FakeAction, text } from "./testing/mendix.js";
import { fanfareProps, openPage, type Page } from "./testing/page.js";

interface Variables {
  message: string | undefined;
  event: string | undefined;
}

let page: Page;
let widget: FanfareSimpleWidget;
beforeEach(() => {
  vi.useFakeTimers();
  page = openPage();
  widget = new FanfareSimpleWidget("fanfareSimple1", page.connections);
});
afterEach(() => void vi.useRealTimers());

function show(over: Partial<FanfareSimpleContainerProps> = {}): void {
  widget.update({
    name: "fanfareSimple1",
    class: "",
    subscriptionId: available("broadcast"),
    login: "session",
    showIndicator: false,
    ...over,
  });
}

describe("Fanfare Simple", () => {
  test.each([
    ["a text as it is", "Down in 1 hour", "Down in 1 hour"],
    ["anything else as JSON", { minutes: 60 }, '{"minutes":60}'],
    ["a number as JSON", 7, "7"],
  ])("hands on %s, to the attribute and to the action", (_what, data, expected) => {
    const [message, onMessage] = [text(), new FakeAction<Variables>()];
    show({ message: message.props, onMessage: onMessage.props });
    page.client.publish("broadcast", data, "announced");
    expect(message.sets).toEqual([expected]);
    expect(onMessage.runs).toEqual([{ message: expected, event: "announced" }]);
  });

  test("hands on the state of the channel, as a whole", () => {
    const message = text();
    show({ message: message.props });
    page.client.change("broadcast", { state: { minutes: 60 }, patch: null });
    page.client.change("broadcast", { state: { minutes: 59 }, patch: { minutes: 59 } });
    expect(message.sets).toEqual(['{"minutes":60}', '{"minutes":59}']);
  });

  test("hears nothing without a subscription id", () => {
    show({ subscriptionId: available("") });
    expect(page.client.channels).toEqual([]);
  });

  test("says in the console that it is refused, and that messages are missing: once each", () => {
    show();
    for (let time = 0; time < 2; time++) {
      page.client.refuse("broadcast");
      page.client.gap("broadcast", "evicted");
    }
    expect(page.warnings).toHaveLength(2);
  });

  test("shares its connection with the widget Fanfare", () => {
    show();
    new FanfareWidget("fanfare1", page.connections).update(fanfareProps());
    expect(page.clients).toHaveLength(1);
    expect(page.client.channels).toEqual(["broadcast", "object:1"]);
  });

  test("hears nothing any more when it leaves the page", () => {
    const message = text();
    show({ message: message.props });
    widget.stop();
    page.client.publish("broadcast", "late");
    vi.runAllTimers();
    expect(message.sets).toEqual([]);
    expect(page.client.connection.status).toBe("closed");
  });
});
