/** nginx with the example's configuration: a child process with everything in a temporary folder, not the system's service. */
import { spawn, spawnSync } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { cert, key } from "../doors/certificate.js";
import { endOf, folder, saysOf } from "./example.js";

// Debian puts it where users who are not root do not look.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/local/sbin:/usr/sbin` };

/** Installs Debian's nginx where there is none. @throws Error that says how to do it by hand */
export function installNginx(): void {
  if (!spawnSync("nginx", ["-v"], { env }).error) return;
  const isRoot = process.getuid?.() === 0;
  const aptGet = (...args: string[]) => {
    const [command = "", ...rest] = [
      ...(isRoot ? [] : ["sudo", "-n"]),
      "env",
      "DEBIAN_FRONTEND=noninteractive",
    ];
    // Another apt-get may be at work.
    const all = [...rest, "apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", ...args];
    const { error, status, stderr } = spawnSync(command, all, { encoding: "utf8" });
    return !error && status === 0 ? null : (error?.message ?? stderr);
  };
  // Fails where there are no package lists; the installation then says so better.
  aptGet("update");
  const failure = aptGet("install", "-y", "--no-install-recommends", "nginx");
  if (failure === null) return;
  throw new Error(
    `These tests need nginx, and apt-get could not install it: ${failure.trim()}\n` +
      "Install it by hand (Debian: sudo apt-get install nginx; macOS: brew install nginx), then try again.",
  );
}

export interface Nginx {
  readonly site: string;
  /** Reads its configuration again, as `systemctl reload nginx` does: other workers take over, the old ones end. */
  reload(): void;
}

/** Listens already when it resolves; is gone after the test. */
export async function startNginx(appPort: number, { tls = false } = {}): Promise<Nginx> {
  const prefix = await mkdtemp(join(tmpdir(), "fanfare-nginx-"));
  onTestFinished(() => rm(prefix, { recursive: true, force: true }));
  // Its workers run as another user, where nginx is started by root.
  await chmod(prefix, 0o755);
  const port = await freePort();
  const example = await readFile(new URL("nginx/fanfare.conf", folder), "utf8");
  await writeFile(
    join(prefix, "fanfare.conf"),
    replace(
      replace(
        example,
        "listen 80;",
        tls ? `listen 127.0.0.1:${port} ssl http2;${TLS}` : `listen 127.0.0.1:${port};`,
      ),
      "127.0.0.1:8080",
      `127.0.0.1:${appPort}`,
    ),
  );
  await writeFile(join(prefix, "nginx.conf"), MAIN);
  await writeFile(join(prefix, "cert.pem"), cert);
  await writeFile(join(prefix, "key.pem"), key);
  const child = spawn("nginx", ["-p", prefix, "-c", "nginx.conf", "-e", "stderr"], {
    stdio: ["ignore", "ignore", "pipe"],
    env,
  });
  endOf(child, "SIGTERM");
  await saysOf(child, "stderr", /start worker process \d+/);
  return { site: `${tls ? "https" : "http"}://127.0.0.1:${port}`, reload: () => void child.kill("SIGHUP") };
}

const TLS = `
  ssl_certificate cert.pem;
  ssl_certificate_key key.pem;`;

/** What Debian's own nginx.conf has around /etc/nginx/conf.d, in the prefix; connections of old workers are cut off soon. */
const MAIN = `
daemon off;
worker_processes 1;
worker_shutdown_timeout 100ms;
pid nginx.pid;
error_log stderr notice;
events {}
http {
  access_log off;
  gzip on;
  gzip_types *;
  gzip_proxied any;
  gzip_min_length 1;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  include fanfare.conf;
}
`;

function replace(text: string, what: string, by: string): string {
  if (!text.includes(what)) throw new Error(`the example's configuration has no ${what}`);
  return text.replace(what, by);
}

/** nginx cannot choose one by itself. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
