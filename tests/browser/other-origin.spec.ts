/** A page from another port of this machine uses the development server, its script and its WebSocket. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test, told } from "./fixtures.js";

test("a page of another port loads client.js, and listens", async ({ server, ownChannel, page }) => {
  const html = `<!doctype html>
    <ol id="told"></ol>
    <script src="${server.url}/push/client.js"></script>
    <script>
      Fanfare.createClient({ url: "${server.url}/push" }).subscribe("${ownChannel}", ({ data }) => {
        document.getElementById("told").append(Object.assign(document.createElement("li"), { textContent: data }));
      }, { onSubscribed: () => { document.title = "listening"; } });
    </script>`;
  const app = createServer((_request, response) => {
    response.writeHead(200, { "Content-Type": "text/html" }).end(html);
  });
  app.listen(0, "localhost");
  await once(app, "listening");
  await page.goto(`http://localhost:${(app.address() as AddressInfo).port}/`);
  await expect(page).toHaveTitle("listening");
  await server.publish(ownChannel, "across");
  await expect(told(page)).toHaveText(["across"]);
  app.closeAllConnections();
  app.close();
});
