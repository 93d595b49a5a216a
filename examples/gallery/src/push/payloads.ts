/** The payloads of the demos, read with care: everybody on this machine may publish anything. */
import type { Message } from "@fanfare/client";

export interface Progress {
  /** 0 to 100. */
  readonly percent: number;
  readonly label: string;
}

export interface Toast {
  readonly title: string;
  readonly text: string;
}

const LEVELS = ["info", "warning"] as const;
export type Level = (typeof LEVELS)[number];

export interface Announcement {
  readonly text: string;
  readonly level: Level;
}

/** A line of the chat. */
export interface Said {
  readonly name: string;
  readonly text: string;
}

export const SIDES = ["x", "o"] as const;
export type Side = (typeof SIDES)[number];

/** Noughts and crosses. */
export interface Game {
  /** Which window plays which side. */
  readonly seats: { readonly [Each in Side]: string | null };
  /** Nine, row by row. */
  readonly cells: readonly (Side | null)[];
}

/** The record that several windows have open. */
export interface Fields {
  readonly customer: string;
  readonly status: string;
  readonly notes: string;
}

const NEW_RECORD: Fields = { customer: "Lovelace & Co.", status: "In production", notes: "" };

/** The event that takes an announcement back. */
export const TAKEN_BACK = "cleared";

type Content = Pick<Message, "event" | "data">;

export function readProgress(state: unknown): Progress {
  const percent = Number(field(state, "percent"));
  return {
    percent: Number.isFinite(percent) ? Math.min(100, Math.max(0, Math.round(percent))) : 0,
    label: text(field(state, "label"), 40),
  };
}

export function readSaid({ data }: Content): Said {
  return { name: text(field(data, "name"), 30) || "Somebody", text: text(field(data, "text"), 500) };
}

export function readGame(state: unknown): Game {
  const seats = field(state, "seats");
  const cells = field(state, "cells");
  const seat = (side: Side) => text(field(seats, side), 40) || null;
  return {
    seats: { x: seat("x"), o: seat("o") },
    cells: Array.from(
      { length: 9 },
      (_, cell) => SIDES.find((side) => side === field(cells, String(cell))) ?? null,
    ),
  };
}

export function readToast({ data }: Content): Toast {
  return { title: text(field(data, "title"), 80) || "Message", text: text(field(data, "text"), 300) };
}

/** `null` when it was taken back. */
export function readAnnouncement({ event, data }: Content): Announcement | null {
  if (event === TAKEN_BACK) return null;
  const level = LEVELS.find((each) => each === field(data, "level")) ?? "info";
  return { text: text(field(data, "text"), 300), level };
}

/** The state of the record; what is not in it is as in a new one. */
export function readFields(state: unknown): Fields {
  const read = (name: keyof Fields) => text(field(state, name) ?? NEW_RECORD[name], 200);
  return { customer: read("customer"), status: read("status"), notes: read("notes") };
}

/** The user who says so, with a lock. */
export function readName(info: unknown): string {
  return text(field(info, "name"), 40) || "Somebody";
}

function field(data: unknown, name: string): unknown {
  return typeof data === "object" && data !== null ? (data as Record<string, unknown>)[name] : undefined;
}

function text(value: unknown, longest: number): string {
  if (value === undefined || value === null) return "";
  const all = typeof value === "string" ? value : JSON.stringify(value);
  return all.length > longest ? `${all.slice(0, longest)} …` : all;
}
