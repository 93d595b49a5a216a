/** The documentation of the configuration, as Markdown: the options from the schema, and what an operator needs around them. */

import { ACTIONS } from "../access/grants/actions.js";
import { FILE_VARIABLE } from "./config.js";
import { OPTIONS, type Option } from "./options.js";
import { isReloaded, RELOADED } from "./reloading.js";

export function configDocs(): string {
  return `${BEFORE}\n${OPTIONS.map(section).join("\n")}`;
}

function section(option: Option): string {
  const { key, text, allowed, unit, variable, flag, asText, secret } = option;
  const lines = [
    `### \`${key}\``,
    "",
    text,
    "",
    `- Allowed: ${allowed}`,
    ...(unit === undefined ? [] : [`- Unit: ${unit}`]),
    `- Default: ${defaultOf(option)}`,
    `- Environment: \`${variable}\`${textForm(option, asText)}`,
    ...(flag === undefined ? [] : [`- Flag: \`--${key} <${flag}>\``]),
    ...(secret ? ["- Secret: never shown"] : []),
    `- SIGHUP: ${isReloaded(option) ? "taken over" : "needs a restart"}`,
    ...(option.members.length === 0 ? [] : ["", "| member | what | allowed |", "|---|---|---|"]),
    ...option.members.map(
      ({ name, description: member }) => `| \`${name}\` | ${member.text} | ${member.allowed} |`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function defaultOf({ default: value, fromMemory }: Option): string {
  if (fromMemory)
    return `\`${String(value)}\`, or less: from the memory that is there ([memory.md](memory.md))`;
  const isNone = value === "" || (Array.isArray(value) && value.length === 0);
  return isNone ? "none" : `\`${String(value)}\``;
}

function textForm({ default: value }: Option, asText: string | undefined): string {
  if (asText !== undefined) return `, ${asText}`;
  return Array.isArray(value) ? ", several separated by commas" : "";
}

const BEFORE = `# Configuration

This is what \`fanfare config --docs\` prints. \`fanfare config\` prints what is in force, and where each value came from.

## Start

\`\`\`sh
export FANFARE_API_KEY=$(openssl rand -hex 24)
fanfare start
\`\`\`

Publish, from your own servers only, since this key may do everything:

\`\`\`sh
curl http://127.0.0.1:3030/push/channels/hello/messages -H "Authorization: Bearer $FANFARE_API_KEY" -d '{"data": "Hello, world"}'
fanfare publish hello '"Hello, world"'      # takes the key from FANFARE_API_KEY, too
\`\`\`

Keys that may do less are made with \`fanfare key add shop --channel 'order:*' --action publish\`, listed and revoked while the server runs.

## Who may listen

Without more, only holders of an API key may do anything. With a secret, users log in with tokens, and may do what their grants say:

\`\`\`sh
export FANFARE_SECRET=$(openssl rand -hex 32)
fanfare start
fanfare token --user alice --channel 'order:*'        # a token for createClient({ token }) or getToken
\`\`\`

A token is a JSON Web Token with \`sub\` (the id of the user), \`exp\`, \`iat\` and \`grants\`. Every language has a library that makes it:

\`\`\`json
{"sub": "alice", "iat": 1790000000, "exp": 1790003600, "grants": [{"channels": "order:*", "actions": ["subscribe", "history"]}]}
\`\`\`

Or ask for one: \`POST {path}/tokens\` with an API key and \`{"user": "alice", "grants": […]}\`. \`info\`, in either, is what others see of a user who is [present](presence.md). Actions are ${Object.entries(
  ACTIONS,
)
  .map(([name, { meaning }]) => `\`${name}\` (${meaning})`)
  .join(", ")}; \`*\` is
all of those on channels. In a pattern \`*\` is one segment, \`**\` one or more at the end, and \`{sub}\` the id of the user: \`user:{sub}:**\`. An id that is no
segment of a channel name, or begins with \`~\`, stands there as \`~\` and its base64url.

Instead of tokens, \`forwardedSession\` lets in the users who are logged in to your application: [access.md](access.md).

Clients that do not log in may do what \`anonymous\` says:

\`\`\`yaml
anonymous:
  - { channels: "news:**", actions: [subscribe, history] }
\`\`\`

Or everything, administration included, with \`access: open\`. Use it on a network where you trust every client; the log warns of it. It cannot stand beside \`anonymous\`. A user or an API key has its own grants also there.

\`fanfare explain subscribe order:42 --token …\` says why a token may do something, or may not.

## Where options come from

1. flags: ${OPTIONS.filter(({ flag }) => flag !== undefined)
  .map(({ key }) => `\`--${key}\``)
  .join(", ")}
2. environment: \`FANFARE_\` and the key, as in \`FANFARE_LIMITS_CONNECTIONS\`; a variable that is empty counts as not set
3. a file: \`fanfare.config.json\`, \`.yaml\`, \`.yml\`, \`.ts\`, \`.js\` or \`.mjs\` in the working directory, or the one named by \`--config\` or \`${FILE_VARIABLE}\`
4. the default

The first that has a value wins, option by option; lists are not merged. All is checked before anything starts: unknown keys and unknown
\`FANFARE_\` variables are errors.

\`\`\`yaml
# fanfare.config.yaml
host: 0.0.0.0
allowedOrigins: [https://app.example.com]
rules:
  - { channels: "ticker:*", history: 1, maxRate: 5, events: latest }
limits:
  connections: 20000
\`\`\`

\`\`\`ts
// fanfare.config.ts: an object, or a function that makes one
export default { port: 8080, logLevel: "warn" };
\`\`\`

A file with keys in it should be readable for its owner only. In Kubernetes a service called \`fanfare\` puts variables like \`FANFARE_PORT\` into
every pod: give the pod \`enableServiceLinks: false\`.

## Behind a proxy

Fanfare speaks plain HTTP and leaves TLS to a proxy in front of it. The proxy has to hand on the \`Host\` and \`Origin\` headers and the WebSocket upgrade. It must not cut off connections that are silent for less than a minute. For nginx:

\`\`\`nginx
map $http_upgrade $fanfare_connection {
  default upgrade;
  ""      "";
}

server {
  # listen, server_name and certificates, as for any site
  location ~ ^/(?:push|socket\\.io)(?:/|$) {
    proxy_pass http://127.0.0.1:3030;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $fanfare_connection;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_read_timeout 75s;
    proxy_send_timeout 75s;
  }
}
\`\`\`

[examples/servers/nginx](../examples/servers/nginx/README.md) says what each line is for. Its recipe is tried with gzip, TLS and HTTP/2.

Pages of the same host name may connect. Those of others have to be in \`allowedOrigins\`. A proxy on another machine, or a container, needs \`host\`.

Put the proxy's address into \`trustedProxies\`: then limits count by the address of the client and not by that of the proxy. The server ignores \`X-Forwarded-For\` and
\`X-Forwarded-Host\` from all other addresses. With \`publicUrl\` a browser that was brought here by another name
(DNS rebinding) is refused.

## Limits

\`rates\` say how much the server takes in 10 seconds from one connection, one user and one address. Of an IPv6 address the first 64 bits count. Over HTTP the answer is 429 with \`Retry-After\`, on a WebSocket an \`error\` with \`retryAfterSeconds\`. The server closes a client that is still over its rate after 10 seconds with 4429. Callers with an API key are not limited. Neither are the addresses of this machine: without \`trustedProxies\`, a proxy on this machine
would share one limit among all its clients. Each process counts for itself.

## Running it

| | |
|---|---|
| SIGTERM, SIGINT | tells clients to come back, closes them with 1012, and ends; a second one ends at once |
| SIGHUP | reads the configuration anew and takes over ${RELOADED.map((key) => `\`${key}\``).join(", ")}; clients stay, as far as they still may. Everything else, such as \`limits\`, needs a restart: the log names what was changed, and what stays as it was |
| \`{path}/health\` | 200 when it is ready; 503 while it stops, has too little room on its disk or in its memory, or lost its \`dataDir\`. For load balancers |
| \`{path}/health/live\` | 200 while the process works. For the supervisor that restarts it |
| \`{path}/metrics\` | figures for Prometheus, each explained in a sentence. They need a key with \`admin\`: \`fanfare key add prometheus --channel '**' --action admin\` |
| exit code 0, 1, 2 | stopped · failed · called or configured wrongly |
| file descriptors | one for each connection: \`ulimit -n\`, \`LimitNOFILE=\` of systemd, \`--ulimit nofile=\` of Docker; the log warns when there are too few |

Figures to be warned by: \`fanfare_connections\` and the other bounds, each beside its \`…_limit\`; \`fanfare_gaps_total\`, what subscribers were told that they missed;
\`fanfare_lag_messages\`; \`fanfare_eventloop_delay_p99_seconds\`; and what is refused: \`fanfare_log_ins_refused_total\`, \`fanfare_actions_refused_total{action}\`,
\`fanfare_rate_limited_total{rate}\`, \`fanfare_shares_used_up_total{kind}\`, \`fanfare_entrance_refused_total{code}\` and \`fanfare_packets_refused_total{reason}\`. The log tells of log-ins, hosts and pages one by one.
\`fanfare_callback_failures_total{caller}\` counts mistakes of the server itself, each of which stands in the log: please report them.

## Options
`;
