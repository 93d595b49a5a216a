/**
 * A Mendix app as far as Fanfare sees it: pages with the built widgets, users with a session cookie and a CSRF token, and a REST
 * service that says whose session it is. Fanfare runs at /push of the same host, as behind a reverse proxy.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createFanfare, type Fanfare } from "fanfare";
import { unzipSync } from "fflate";
import { build, type Rolldown } from "vite";

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const KEY = "the-key-of-a-test-0123456789";
/** What the session check grants: the channels of objects with numbers and locks, and what is for everybody. */
const GRANTS = [
  { channels: "object:*", actions: ["subscribe", "history", "presence", "publish", "sequence", "lock"] },
  { channels: "broadcast", actions: ["subscribe", "history"] },
];
/** Mendix's modules, as JavaScript actions import them. */
const MODULES: Record<string, string> = {
  "/session.js": "export const getCSRFToken = () => document.querySelector('meta[name=csrf]').content;",
  "/big.js": readFileSync(fromRoot("node_modules/big.js/big.mjs"), "utf8"),
};
const TYPES: Record<string, string> = { js: "text/javascript", mjs: "text/javascript", css: "text/css" };

interface Session {
  readonly user: string;
  readonly csrf: string;
}

export class MendixApp {
  readonly #server: Server = createServer((request, response) => this.#answer(request, response));
  /** The files of the package, as Mendix lays them out. */
  readonly #widgets = unzipSync(readFileSync(fromRoot("packages/mendix/dist/fanfare.mpk")));
  readonly #page = readFileSync(fromRoot("packages/mendix/src/testing/app/page.html"), "utf8");
  readonly #sessions = new Map<string, Session>();
  #script = "";
  #fanfare: Fanfare | null = null;

  static async start(): Promise<MendixApp> {
    const app = new MendixApp();
    app.#script = await bundlePage();
    app.#server.listen(0, "localhost");
    await once(app.#server, "listening");
    app.#fanfare = createFanfare({
      apiKeys: [KEY],
      rules: [{ channels: "object:*", presence: true }],
      forwardedSession: { url: `${app.url}/rest/fanfare/session`, cookies: ["XASSESSIONID"] },
    });
    app.#fanfare.attach(app.#server);
    return app;
  }

  get url(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  /** As the action Call REST service of a microflow sends it. */
  async publish(channel: string, event: string, data: unknown): Promise<void> {
    const answer = await this.#call("POST", `/channels/${channel}/messages`, { event, data });
    if (answer.status !== 201) throw new Error(`${answer.status}: ${await answer.text()}`);
  }

  /** How many connections there are. */
  async connections(): Promise<number> {
    const { connections } = (await (await this.#call("GET", "/connections")).json()) as { connections: [] };
    return connections.length;
  }

  async stop(): Promise<void> {
    await this.#fanfare?.close({ withinSeconds: 0.1 });
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #call(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(`${this.url}/push${path}`, {
      method,
      headers: { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    const id = /(?:^|; )XASSESSIONID=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1] ?? "";
    const session = this.#sessions.get(id);
    switch (pathname) {
      case "/":
        response.setHeader("Content-Type", "text/html; charset=utf-8");
        response.end(this.#page.replace("{{csrf}}", session?.csrf ?? ""));
        return;
      case "/app.js":
        sendScript(response, this.#script);
        return;
      case "/login": {
        const newId = randomBytes(24).toString("base64url");
        const user = searchParams.get("user") ?? "";
        this.#sessions.set(newId, { user, csrf: randomBytes(24).toString("base64url") });
        response.setHeader("Set-Cookie", `XASSESSIONID=${newId}; Path=/; HttpOnly; SameSite=Lax`);
        response.end("logged in");
        return;
      }
      case "/logout":
        this.#sessions.delete(id);
        if (session) void this.#call("DELETE", `/users/${session.user}`);
        response.writeHead(204).end();
        return;
      case "/rest/fanfare/session":
        if (session && session.csrf === request.headers["x-csrf-token"]) {
          response.end(JSON.stringify({ user: session.user, grants: GRANTS }));
        } else response.writeHead(401).end();
        return;
      default:
        this.#file(pathname, response);
    }
  }

  #file(pathname: string, response: ServerResponse): void {
    const [, action] = /^\/actions\/(\w+)\.js$/.exec(pathname) ?? [];
    const script = action
      ? readFileSync(fromRoot(`packages/mendix/actions/${action}.js`), "utf8")
      : MODULES[pathname];
    if (script !== undefined) {
      sendScript(response, script);
      return;
    }
    const file = this.#widgets[pathname.replace("/widgets/", "")];
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader("Content-Type", TYPES[pathname.split(".").at(-1) ?? ""] ?? "application/octet-stream");
    response.end(file);
  }
}

function sendScript(response: ServerResponse, script: string): void {
  response.setHeader("Content-Type", "text/javascript");
  response.end(script);
}

/** The part of Mendix's client, with React. */
async function bundlePage(): Promise<string> {
  const built = await build({
    configFile: false,
    root: fromRoot("packages/mendix"),
    logLevel: "warn",
    mode: "production",
    oxc: { jsx: { runtime: "automatic", development: false } },
    define: { "process.env.NODE_ENV": '"production"' },
    build: {
      write: false,
      target: "es2022",
      minify: false,
      lib: { entry: "src/testing/app/main.tsx", formats: ["es"], fileName: "app" },
    },
  });
  const [{ output }] = built as [Rolldown.RolldownOutput];
  return output[0].code;
}
