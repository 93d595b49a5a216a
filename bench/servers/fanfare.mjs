/** Fanfare as it comes, with one channel. An argument names another build of it. */
import { serve } from "./serve.mjs";

/** @type {typeof import("fanfare")} */
const { createFanfare } = await import(process.argv[2] ?? "fanfare");

serve((server) => {
  const fanfare = createFanfare({ access: "open" });
  fanfare.attach(server);
  return (data) => fanfare.publish("bench", data);
});
