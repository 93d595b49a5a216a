/** The same channels, defined with three libraries. */
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { defineChannels } from "../../packages/server/src/index.js";

/** Takes its time, as one that looks something up; says no to `taken`. */
const free = z.string().refine(async (name) => {
  await new Promise<void>((done) => setImmediate(done));
  return name !== "taken";
}, "is taken");

export const withZod = defineChannels({
  "order:{id}": {
    message: z.object({ lines: z.array(z.object({ price: z.number() })) }),
    state: z.object({ total: z.number(), note: z.string().optional() }),
  },
  "order:latest": { message: z.number() },
  "chat:{room}": { messages: { said: z.object({ text: z.string() }), left: z.null() } },
  "name:{id}": { message: free },
  when: { message: z.string().transform((text) => new Date(text)) },
});

export const withValibot = defineChannels({
  "order:{id}": {
    message: v.object({ lines: v.array(v.object({ price: v.number() })) }),
    state: v.object({ total: v.number(), note: v.optional(v.string()) }),
  },
  "order:latest": { message: v.number() },
  "chat:{room}": { messages: { said: v.object({ text: v.string() }), left: v.null() } },
});

export const withArktype = defineChannels({
  "order:{id}": {
    message: type({ lines: type({ price: "number" }).array() }),
    state: type({ total: "number", "note?": "string" }),
  },
  "order:latest": { message: type("number") },
  "chat:{room}": { messages: { said: type({ text: "string" }), left: type("null") } },
});
