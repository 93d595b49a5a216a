/** A Fanfare on a real HTTP server, for tests. */
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { Log } from "../../packages/server/src/base/log.js";
import { createFanfare, type Fanfare } from "../../packages/server/src/library/fanfare.js";
import type { FanfareOptions } from "../../packages/server/src/library/options.js";
import { lettingAllListen } from "../../packages/server/src/testing/let-in.js";
import { cert, key } from "./certificate.js";

export interface LogLine {
  readonly level: keyof Log;
  readonly fields: object;
  readonly message: string;
}

/** Remembers what was logged. */
export class RecordingLog implements Log {
  readonly lines: LogLine[] = [];

  debug(fields: object, message: string): void {
    this.lines.push({ level: "debug", fields, message });
  }
  info(fields: object, message: string): void {
    this.lines.push({ level: "info", fields, message });
  }
  warn(fields: object, message: string): void {
    this.lines.push({ level: "warn", fields, message });
  }
  error(fields: object, message: string): void {
    this.lines.push({ level: "error", fields, message });
  }

  /** The lines whose message holds this text. */
  about(text: string): LogLine[] {
    return this.lines.filter(({ message }) => message.includes(text));
  }
}

export interface Serving {
  readonly fanfare: Fanfare;
  readonly server: Server;
  readonly port: number;
  /** Where WebSockets are opened. */
  readonly url: string;
  /** Where HTTP requests go. */
  readonly http: string;
  readonly log: RecordingLog;
  /** The server's side of every connection, in the order in which they came. */
  readonly sockets: readonly Socket[];
}

/** Serves until the test is finished. */
export async function serve(options: FanfareOptions & { tls?: boolean } = {}): Promise<Serving> {
  const { tls = false, ...rest } = options;
  const log = new RecordingLog();
  const fanfare = createFanfare(lettingAllListen({ logger: log, ...rest }));
  const server = tls ? createTlsServer({ cert, key }) : createServer();
  fanfare.attach(server);
  const sockets: Socket[] = [];
  server.on(tls ? "secureConnection" : "connection", (socket: Socket) => void sockets.push(socket));
  const port = await listening(server);
  onTestFinished(async () => {
    await fanfare.close({ withinSeconds: 0 });
  });
  const at = `localhost:${port}${fanfare.path}`;
  return {
    fanfare,
    server,
    port,
    url: `${tls ? "wss" : "ws"}://${at}`,
    http: `${tls ? "https" : "http"}://${at}`,
    log,
    sockets,
  };
}

/** Listens on some port until the test is finished, and answers with it. */
export async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(0, "localhost", done));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}
