/** What the widget Fanfare does with what comes. */
import { Big } from "big.js";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { FanfareContainerProps } from "../typings/FanfareProps.js";
import { FanfareWidget } from "./fanfare-widget.js";
import type { AttributeValue } from "./message/convert.js";
import { boolean, date, FakeAction, FakeAttribute, number, text } from "./testing/mendix.js";
import { fanfareProps, openPage, type Page } from "./testing/page.js";

interface MessageVariables {
  event: string | undefined;
  payload: string | undefined;
  offset: Big | undefined;
}

let page: Page;
let widget: FanfareWidget;
beforeEach(() => {
  vi.useFakeTimers();
  page = openPage();
  widget = new FanfareWidget("fanfare1", page.connections);
});
afterEach(() => void vi.useRealTimers());

function show(over: Partial<FanfareContainerProps> = {}): void {
  widget.update(fanfareProps(over));
}

describe("a message", () => {
  test("sets the attributes of the message object, and those of the list", () => {
    const all = {
      text1: text(),
      text2: text(),
      text3: text(),
      progress: number(),
      busy: boolean(),
      value: number(),
      datetime: date(),
    };
    const further = new FakeAttribute<AttributeValue>(undefined, "number");
    const props = Object.fromEntries(Object.entries(all).map(([key, each]) => [key, each.props]));
    show({ ...props, attributes: [{ key: "amount", attribute: further.props }] });
    page.client.publish("object:1", {
      Text1: "a",
      Text2: "b",
      Text3: "c",
      Progress: 42,
      Busy: true,
      Value: 1.5,
      Datetime: 0,
      amount: "12.50",
    });
    expect(Object.values(all).map(({ value }) => String(value))).toEqual([
      "a",
      "b",
      "c",
      "42",
      "true",
      "1.5",
      String(new Date(0)),
    ]);
    expect(String(further.value)).toBe("12.5");
  });

  test("runs the handlers of its event, then On receive update, each with what came", () => {
    const onReceive = new FakeAction<MessageVariables>();
    const paid = new FakeAction<MessageVariables>();
    const shipped = new FakeAction<MessageVariables>();
    show({
      onReceive: onReceive.props,
      handlers: [
        { event: "paid", action: paid.props },
        { event: "shipped", action: shipped.props },
      ],
    });
    page.client.publish("object:1", { amount: 12 }, "paid");
    const variables = { event: "paid", payload: '{"amount":12}', offset: new Big(1) };
    expect(onReceive.runs).toEqual([variables]);
    expect(paid.runs).toEqual([variables]);
    expect(shipped.runs).toEqual([]);
  });

  test("that is no object sets nothing, and runs the action", () => {
    const onReceive = new FakeAction<MessageVariables>();
    const text1 = text();
    show({ onReceive: onReceive.props, text1: text1.props });
    page.client.publish("object:1", "hello");
    expect(onReceive.runs[0]?.payload).toBe('"hello"');
    expect(text1.sets).toEqual([]);
  });
});

describe("the state of a channel", () => {
  test("sets the attributes at once, and then what changes", () => {
    const onReceive = new FakeAction<MessageVariables>();
    const [progress, text1] = [number(), text()];
    show({ progress: progress.props, text1: text1.props, onReceive: onReceive.props });
    page.client.change("object:1", { state: { Progress: 40, Text1: "on its way" }, patch: null });
    page.client.change("object:1", { state: { Progress: 50 }, patch: { Progress: 50, Text1: null } });
    vi.runAllTimers();
    expect(progress.sets.map(String)).toEqual(["40", "50"]);
    expect(text1.sets).toEqual(["on its way", undefined]);
    expect(onReceive.runs).toEqual([
      { event: "$state", payload: '{"Progress":40,"Text1":"on its way"}', offset: undefined },
      { event: "$state", payload: '{"Progress":50,"Text1":null}', offset: undefined },
    ]);
  });

  test("that is removed leaves the attributes as they are", () => {
    const text1 = text("kept");
    show({ text1: text1.props });
    page.client.change("object:1", { state: null, patch: null });
    expect(text1.sets).toEqual([]);
  });
});

describe("presence", () => {
  const [alice, bob] = ["alice", "bob"].map((user) => ({ id: user, user, since: 0 }));
  const guest = { id: "guest", since: 0 };
  const all = [alice, bob].flatMap((each) => each ?? []);

  test("sets how many are here, and who, and runs On presence with who came and left", () => {
    const onPresence = new FakeAction<{
      count: Big | undefined;
      joined: string | undefined;
      left: string | undefined;
    }>();
    const [present, presentUsers] = [number(), text()];
    show({ present: present.props, presentUsers: presentUsers.props, onPresence: onPresence.props });
    page.client.present("object:1", { count: 3, members: [...all, guest], joined: all, left: [guest] });
    expect(String(present.value)).toBe("3");
    expect(presentUsers.value).toBe("alice, bob");
    expect(onPresence.runs).toEqual([{ count: new Big(3), joined: "alice, bob", left: "" }]);
    page.client.present("object:1", { count: 20_000, members: null, joined: [], left: [] });
    expect(presentUsers.value).toBeUndefined();
  });

  test("is not asked for where nothing takes it", () => {
    show();
    expect(page.client.present("object:1", { count: 1, members: [], joined: [], left: [] })).toBe(0);
  });
});
