/** Mantine's part of the look; the rest stands in look.css. */
import { createTheme } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "azure",
  primaryShade: 7,
  colors: {
    azure: [
      "#eef3ff",
      "#dbe4fd",
      "#b9caf9",
      "#93adf5",
      "#7393f2",
      "#5b80f0",
      "#4a72ea",
      "#2f5bd7",
      "#264cba",
      "#1c3c99",
    ],
    // Mantine's greys of the dark scheme, as blue as the rest.
    dark: [
      "#e8edf9",
      "#c3cde4",
      "#9aa8c6",
      "#7383aa",
      "#34446c",
      "#2a3860",
      "#1a2440",
      "#131c32",
      "#0e1628",
      "#0b1120",
    ],
  },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
  headings: { fontWeight: "680" },
  defaultRadius: "md",
  respectReducedMotion: true,
  cursorType: "pointer",
});
