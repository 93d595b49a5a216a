import { describe, expect, test } from "vitest";
import type { FanfarePreviewProps } from "../../typings/FanfareProps.js";
import type { FanfareSimplePreviewProps } from "../../typings/FanfareSimpleProps.js";
import * as fanfare from "../Fanfare.editorConfig.js";
import * as simple from "../FanfareSimple.editorConfig.js";
import type { Part, Problem } from "./api.js";

const ACTION = {};

/** The widget as one that nothing is wrong with. */
function values(over: Partial<FanfarePreviewProps> = {}): FanfarePreviewProps {
  return {
    class: "",
    readOnly: false,
    channelBy: "object",
    messageObject: {},
    objectPrefix: "object:",
    channelName: "",
    serverUrl: "",
    login: "session",
    token: "",
    text1: "Text1",
    text2: "",
    text3: "",
    progress: "",
    busy: "",
    value: "",
    datetime: "",
    present: "",
    presentUsers: "",
    onPresence: null,
    attributes: [],
    onReceive: null,
    handlers: [],
    onSubscribed: null,
    onMissed: null,
    onLost: null,
    onRefused: null,
    onLeave: null,
    showIndicator: false,
    connectedText: "",
    lostText: "",
    ...over,
  };
}

function simpleValues(over: Partial<FanfareSimplePreviewProps> = {}): FanfareSimplePreviewProps {
  const {
    class: className,
    readOnly,
    serverUrl,
    login,
    token,
    showIndicator,
    connectedText,
    lostText,
  } = values();
  const own = { subscriptionId: "broadcast", message: "Text", onMessage: null };
  return {
    class: className,
    readOnly,
    serverUrl,
    login,
    token,
    showIndicator,
    connectedText,
    lostText,
    ...own,
    ...over,
  };
}

const where = (problems: Problem[]) => problems.map(({ property }) => property);

/** All that is written in a preview. */
function words(part: Part): string[] {
  if (part.type === "Text") return [part.content];
  return part.type === "Image" ? [] : part.children.flatMap(words);
}

describe("Studio Pro says of Fanfare", () => {
  test("nothing where nothing is wrong", () => {
    expect(fanfare.check(values())).toEqual([]);
    expect(fanfare.check(values({ channelBy: "name", channelName: "order:{1}:{OrderId}" }))).toEqual([]);
    expect(fanfare.check(values({ login: "token", token: "$Token/Value" }))).toEqual([]);
  });

  test.each([
    ["no object is chosen", { messageObject: null }, "messageObject"],
    ["the prefix cannot begin a name", { objectPrefix: "my object " }, "objectPrefix"],
    ["no channel is given", { channelBy: "name" as const }, "channelName"],
    ["the channel cannot be", { channelBy: "name" as const, channelName: "order::{1}" }, "channelName"],
    ["the token is missing", { login: "token" as const }, "token"],
    ["nothing happens with what comes", { text1: "" }, "onReceive"],
    ["a handler has no event", { handlers: [{ event: "", action: ACTION }] }, "handlers/1/event"],
    ["a handler has no action", { handlers: [{ event: "paid", action: null }] }, "handlers/1/action"],
    [
      "two handlers have one name",
      {
        handlers: [
          { event: "paid", action: ACTION },
          { event: "paid", action: ACTION },
        ],
      },
      "handlers/2/event",
    ],
    [
      "two attributes take one key",
      {
        attributes: [
          { key: "amount", attribute: "A" },
          { key: "amount", attribute: "B" },
        ],
      },
      "attributes/2/key",
    ],
  ])("when %s", (_what, over, property) => {
    const problems = fanfare.check(values(over));
    expect(where(problems)).toEqual([property]);
    expect(problems[0]?.message).toMatch(/\.$/);
  });

  test("what is configured, in the picture and in the caption, light and dark", () => {
    const shown = values({ attributes: [{ key: "amount", attribute: "Amount" }], onReceive: ACTION });
    const expected = [
      "Fanfare: object:[id of the object]",
      "Text1 → Text1",
      "amount → Amount",
      "Update → action",
    ];
    expect(words(fanfare.getPreview(shown, false))).toEqual(expected);
    expect(words(fanfare.getPreview(shown, true))).toEqual(expected);
    expect(fanfare.getPreview(shown, true)).not.toEqual(fanfare.getPreview(shown, false));
    expect(fanfare.getCustomCaption(values({ messageObject: null }))).toBe("Fanfare: [no object]");
    expect(fanfare.getCustomCaption(values({ channelBy: "name" }))).toBe("Fanfare: [no channel]");
  });

  test("only what has a meaning now", () => {
    const groups = () => [
      {
        caption: "General",
        propertyGroups: [
          {
            caption: "Channel",
            properties: ["messageObject", "objectPrefix", "channelName", "token", "lostText"].map((key) => ({
              key,
            })),
          },
        ],
      },
    ];
    const keys = (over: Partial<FanfarePreviewProps>) =>
      fanfare
        .getProperties(values(over), groups())
        .flatMap((group) => group.propertyGroups ?? [])
        .flatMap((group) => group.properties ?? [])
        .map(({ key }) => key);
    expect(keys({})).toEqual(["messageObject", "objectPrefix"]);
    expect(keys({ channelBy: "name", login: "token" })).toEqual(["channelName", "token"]);
    expect(keys({ showIndicator: true })).toEqual(["messageObject", "objectPrefix", "lostText"]);
  });
});

describe("Studio Pro says of Fanfare Simple", () => {
  test("nothing where nothing is wrong", () => {
    expect(simple.check(simpleValues())).toEqual([]);
  });

  test.each([
    ["there is no subscription id", { subscriptionId: "" }, "subscriptionId"],
    ["no channel can have that name", { subscriptionId: "a b" }, "subscriptionId"],
    ["the token is missing", { login: "token" as const }, "token"],
    ["nothing happens with what comes", { message: "" }, "onMessage"],
  ])("when %s", (_what, over, property) => {
    expect(where(simple.check(simpleValues(over)))).toEqual([property]);
  });

  test("what is configured", () => {
    const shown = simpleValues({ onMessage: ACTION });
    expect(words(simple.getPreview(shown, false))).toEqual([
      "Fanfare: broadcast",
      "Message → Text",
      "Message → action",
    ]);
  });

  test("only what has a meaning now", () => {
    const groups = [{ caption: "General", properties: [{ key: "subscriptionId" }, { key: "token" }] }];
    expect(simple.getProperties(simpleValues(), groups)[0]?.properties).toEqual([{ key: "subscriptionId" }]);
  });
});
