import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const source = (path) => fileURLToPath(new URL(`../../packages/${path}`, import.meta.url));

export default defineConfig({
  // The page can be served at any path.
  base: "./",
  plugins: [react()],
  // From the sources, so that nothing has to be built first.
  resolve: {
    alias: {
      "@fanfare/client": source("client/src/index.ts"),
      "@fanfare/protocol": source("protocol/src/index.ts"),
    },
  },
  build: { target: "es2023" },
  server: { proxy: { "/push": { target: "http://localhost:3030", ws: true } } },
});
