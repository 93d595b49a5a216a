/**
 * A page of a Mendix app: plays the part of Mendix's client for the built widgets. It loads their AMD modules, and hands them values,
 * attributes and actions. The query may name the object and the server; tests press the buttons.
 */
import * as bigJs from "big.js";
import * as React from "react";
import { type FunctionComponent, useState } from "react";
import * as jsxRuntime from "react/jsx-runtime";
import { createRoot } from "react-dom/client";
import type { FanfareContainerProps } from "../../../typings/FanfareProps.js";
import type { FanfareSimpleContainerProps } from "../../../typings/FanfareSimpleProps.js";
import { loadModules } from "./amd.js";
import { MessageObject } from "./message.js";

interface Widgets {
  readonly Fanfare: FunctionComponent<FanfareContainerProps>;
  readonly FanfareSimple: FunctionComponent<FanfareSimpleContainerProps>;
}

function Page({ Fanfare, FanfareSimple }: Widgets) {
  const [, show] = useState(0);
  const query = new URLSearchParams(location.search);
  const [id, setId] = useState(query.get("object") ?? "1");
  const [isOpen, setOpen] = useState(true);
  const [objects] = useState(() => new Map<string, MessageObject>());
  const changed = () => show((count) => count + 1);
  const configuration = { object: id, server: query.get("server") ?? "" };
  const message = objects.get(id) ?? new MessageObject(configuration, changed);
  objects.set(id, message);
  const { Announcement, Busy, Customer, Datetime, Present, PresentUsers, Progress, Text1, Value } =
    message.attributes;
  const percent = Number(Progress.value ?? 0);
  return (
    <main>
      {Announcement.value && <p id="announcement">{Announcement.value}</p>}
      <h1>
        Order {id} {isOpen && <Fanfare {...message.fanfare()} />}
      </h1>
      {isOpen && <FanfareSimple {...message.simple()} />}
      <p id="text1">{Text1.value ?? "Nothing has come yet"}</p>
      <progress max="100" value={percent} />
      <dl>
        <dt>Progress</dt>
        <dd id="progress">{percent} %</dd>
        <dt>Busy</dt>
        <dd id="busy">{Busy.value ? "yes" : "no"}</dd>
        <dt>Value</dt>
        <dd id="value">{Value.value?.toFixed(2) ?? "–"}</dd>
        <dt>Datetime</dt>
        <dd id="datetime">{Datetime.value?.toISOString() ?? "–"}</dd>
        <dt>Customer</dt>
        <dd id="customer">{String(Customer.value ?? "–")}</dd>
        <dt>Here</dt>
        <dd id="present">
          {String(Present.value ?? "–")}: {PresentUsers.value ?? "–"}
        </dd>
      </dl>
      <button type="button" id="next" onClick={() => setId(String(Number(id) + 1))}>
        Next order
      </button>
      <button type="button" id="leave" onClick={() => setOpen(false)}>
        Leave the page
      </button>
      <ol id="runs">
        {message.runs.map((run, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the list only grows
          <li key={index}>{run}</li>
        ))}
      </ol>
    </main>
  );
}

const csrf = document.querySelector<HTMLMetaElement>("meta[name=csrf]")?.content ?? "";
const folder = "/widgets/fanfare/mendix";
const [first, second] = await loadModules(
  [`${folder}/fanfare/Fanfare.js`, `${folder}/fanfaresimple/FanfareSimple.js`],
  {
    react: React,
    "react/jsx-runtime": jsxRuntime,
    "big.js": bigJs,
    "mendix/session": { getCSRFToken: () => csrf },
  },
);
const widgets = { ...first, ...second } as unknown as Widgets;
const root = document.getElementById("root");
if (root) createRoot(root).render(<Page {...widgets} />);
