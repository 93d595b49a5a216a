/** The object on the page: what a data view of Mendix would hold, and the actions that the maker has chosen. */
import type { FanfareContainerProps } from "../../../typings/FanfareProps.js";
import type { FanfareSimpleContainerProps } from "../../../typings/FanfareSimpleProps.js";
import type { AttributeValue } from "../../message/convert.js";
import { available, boolean, date, FakeAction, FakeAttribute, number, object, text } from "../mendix.js";

/** What the widgets are configured with; the query of the page has it. */
export interface Configuration {
  readonly object: string;
  readonly server: string;
}

export class MessageObject {
  readonly attributes = {
    Text1: text(),
    Progress: number(),
    Busy: boolean(),
    Value: number(),
    Datetime: date(),
    Customer: new FakeAttribute<AttributeValue>(undefined),
    Present: number(),
    PresentUsers: text(),
    Announcement: text(),
  };
  readonly #actions = new Map<string, FakeAction<object>>();
  /** What the actions were run with, newest last. */
  readonly runs: string[] = [];
  readonly #configuration: Configuration;
  readonly #changed: () => void;

  /** @param changed shows the page anew */
  constructor(configuration: Configuration, changed: () => void) {
    this.#configuration = configuration;
    this.#changed = changed;
    for (const attribute of Object.values(this.attributes)) attribute.onSet = changed;
  }

  fanfare(): FanfareContainerProps {
    const { Text1, Progress, Busy, Value, Datetime, Customer, Present, PresentUsers } = this.attributes;
    return {
      name: "fanfare1",
      class: "live",
      channelBy: "object",
      messageObject: available(object(this.#configuration.object)),
      objectPrefix: "object:",
      serverUrl: available(this.#configuration.server),
      login: "session",
      text1: Text1.props,
      progress: Progress.props,
      busy: Busy.props,
      value: Value.props,
      datetime: Datetime.props,
      present: Present.props,
      presentUsers: PresentUsers.props,
      attributes: [{ key: "customer", attribute: Customer.props }],
      onReceive: this.#action("On receive update"),
      handlers: [{ event: "finished", action: this.#action("finished") }],
      onSubscribed: this.#action("On subscribed"),
      onLost: this.#action("On connection lost"),
      onRefused: this.#action("On refused"),
      onLeave: this.#action("On leave"),
      showIndicator: true,
      connectedText: available("Live"),
      lostText: available("Not live: what you see may be old"),
    };
  }

  simple(): FanfareSimpleContainerProps {
    return {
      name: "fanfareSimple1",
      class: "",
      subscriptionId: available("broadcast"),
      serverUrl: available(this.#configuration.server),
      login: "session",
      message: this.attributes.Announcement.props,
      onMessage: this.#action("On message"),
      showIndicator: false,
    };
  }

  #action(name: string) {
    const action = this.#actions.get(name) ?? this.#newAction(name);
    this.#actions.set(name, action);
    return action.props;
  }

  /** Notes what it is run with, and shows that it runs for a while, as those of Mendix do. */
  #newAction(name: string): FakeAction<object> {
    const action = new FakeAction<object>();
    action.onRun = (variables) => {
      this.runs.push([name, ...(variables ? [JSON.stringify(variables)] : [])].join(" "));
      action.isExecuting = true;
      this.#changed();
      queueMicrotask(() => {
        action.isExecuting = false;
        this.#changed();
      });
    };
    return action;
  }
}
