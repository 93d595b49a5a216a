/** Server-Sent Events in a browser: a bare EventSource, and the client behind a proxy that blocks WebSockets. */
import { HttpProxy } from "../client/http-proxy.js";
import { TcpProxy } from "../client/proxy.js";
import { connection, expect, numbers, probe, test, told } from "./fixtures.js";

test("an EventSource, cut off while 50 messages go out over three channels, has them all", async ({
  server,
  ownChannel,
  page,
}) => {
  const proxy = await TcpProxy.to(server.port);
  try {
    const channels = ["a", "b", "c"].map((name) => `${ownChannel}:${name}`);
    await page.goto(`http://localhost:${proxy.port}/probe.html?later&channel=unused`);
    await page.evaluate(
      (query) => {
        const tell = (text: string) => {
          const item = Object.assign(document.createElement("li"), { textContent: text });
          document.getElementById("told")?.append(item);
        };
        const source = new EventSource(`/push/sse?${query}`);
        source.onmessage = ({ data }) => tell(String(JSON.parse(data).data));
        source.onerror = () => tell("cut");
        source.addEventListener("fanfare.cursor", ({ lastEventId }) => {
          document.title = lastEventId;
        });
      },
      channels.map((channel) => `channel=${channel}`).join("&"),
    );
    await expect(page).toHaveTitle(/\.0,0,0$/);
    await server.publish(channels[0] ?? "", 1);
    await expect(told(page)).toHaveText(["1"]);

    proxy.refuse();
    proxy.cut();
    await expect(told(page)).toContainText(["cut"]);
    for (let data = 2; data <= 51; data++) await server.publish(channels[data % 3] ?? "", data);
    proxy.heal();

    await expect
      .poll(async () => {
        const heard = new Set(
          (await told(page).allTextContents()).filter((text) => text !== "cut").map(Number),
        );
        return [...heard].sort((a, b) => a - b).join();
      })
      .toBe(numbers(1, 51).join());
    // In order within each channel.
    const heard = [...new Set(await told(page).allTextContents())]
      .filter((text) => text !== "cut")
      .map(Number);
    for (const rest of [0, 1, 2]) {
      const of = heard.filter((data) => data > 1 && data % 3 === rest);
      expect(of).toEqual([...of].sort((a, b) => a - b));
    }
  } finally {
    await proxy.close();
  }
});

test("a page behind a proxy that refuses WebSockets listens all the same, and goes back when the proxy relents", async ({
  server,
  ownChannel,
  page,
}) => {
  const proxy = await HttpProxy.to(server.port);
  try {
    await page.goto(`http://localhost:${proxy.port}${probe(ownChannel)}`);
    await expect(connection(page)).toHaveText("listening");
    const transport = () => page.evaluate("client.connection.transport");
    expect(await transport()).toBe("sse");
    await server.publish(ownChannel, 1);
    await expect(told(page)).toHaveText(["1"]);

    // A cut of the stream is recovered like that of a socket.
    proxy.cut();
    await server.publishAll(ownChannel, numbers(2, 20));
    await expect(told(page)).toHaveText(numbers(1, 20));

    proxy.relent();
    // It tries again by itself after a minute, and when the network changes.
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await server.publishAll(ownChannel, numbers(21, 30));
    await expect(told(page)).toHaveText(numbers(1, 30));
    await expect.poll(transport).toBe("websocket");
    await server.publishAll(ownChannel, numbers(31, 40));
    await expect(told(page)).toHaveText(numbers(1, 40));
    expect(await page.evaluate(`client.publish(${JSON.stringify(ownChannel)}, 41).then(() => "done")`)).toBe(
      "done",
    );
    await expect(told(page)).toHaveText(numbers(1, 41));
  } finally {
    await proxy.close();
  }
});
