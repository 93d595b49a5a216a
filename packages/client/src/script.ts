/** For pages without a bundler: `<script src="/push/client.js"></script>` makes `Fanfare.createClient`. */
export { createClient } from "./client.js";
