/** Counts what passes, for the drawing at the top of the page. */
import { useSyncExternalStore } from "react";
import { createStore } from "./store";

export interface Traffic {
  /** Messages that came to this window. */
  readonly heard: number;
  /** Messages published from here while this window was cut off: only the others had them. */
  readonly unheard: number;
}

const store = createStore<Traffic>({ heard: 0, unheard: 0 });

export const traffic = {
  heard: () => store.set({ ...store.get(), heard: store.get().heard + 1 }),
  publishedUnheard: () => store.set({ ...store.get(), unheard: store.get().unheard + 1 }),
};

export function useTraffic(): Traffic {
  return useSyncExternalStore(store.watch, store.get);
}
