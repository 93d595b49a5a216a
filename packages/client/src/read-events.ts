/** Reads a stream of Server-Sent Events (HTML Standard, section 9.2.6), as far as a Fanfare server makes use of it. */

/**
 * Resolves when the stream ends, and rejects when it breaks.
 *
 * @param heard is called whenever anything came
 * @param event is called with the name and the data of each event
 */
export async function readEvents(
  body: ReadableStream<Uint8Array>,
  heard: () => void,
  event: (name: string, data: string) => void,
): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      let name = "message";
      let data: string | null = null;
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) name = line.slice(7);
        else if (line.startsWith("data: ")) data = line.slice(6);
      }
      if (data !== null) event(name, data);
    }
  }
}
