// An application that knows its users by a session cookie and a CSRF token, as most frameworks make them. Fanfare runs beside it.
import { randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const FANFARE = process.env.FANFARE_URL ?? "http://localhost:3030/push";
const API_KEY = process.env.FANFARE_API_KEY ?? "";
const page = readFileSync(new URL("page.html", import.meta.url), "utf8");

/** The users who are logged in: user and CSRF token, by session. */
const sessions = new Map();

const server = createServer((request, response) => {
  answer(request, response).catch((error) => response.writeHead(500).end(error.message));
});

async function answer(request, response) {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  const session = sessions.get(cookieOf(request));
  switch (`${request.method} ${pathname}`) {
    case "GET /":
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(page.replaceAll("{{fanfare}}", FANFARE).replace("{{csrf}}", session?.csrf ?? ""));
      return;
    case "POST /login": {
      // A real one asks for a password.
      const id = randomBytes(24).toString("base64url");
      sessions.set(id, { user: searchParams.get("user"), csrf: randomBytes(24).toString("base64url") });
      response.setHeader("Set-Cookie", `session=${id}; Path=/; HttpOnly; SameSite=Lax`);
      response.writeHead(303, { Location: "/" }).end();
      return;
    }
    case "POST /logout":
      sessions.delete(cookieOf(request));
      // Ends what the user has open in Fanfare. Without this it ends with the next check, after 5 minutes.
      if (session) await fanfare("/revocations", { user: session.user });
      response.writeHead(303, { Location: "/" }).end();
      return;
    case "GET /fanfare-session":
      // What Fanfare asks: whose session is this? Only looks, so that a check does not keep a session alive.
      if (!session || !same(session.csrf, request.headers["x-csrf-token"])) response.writeHead(401).end();
      else response.end(JSON.stringify({ user: session.user, grants: grantsOf(session) }));
      return;
    default:
      response.writeHead(404).end();
  }
}

function grantsOf() {
  return [{ channels: "user:{sub}:*", actions: ["subscribe", "history", "publish"] }];
}

function cookieOf({ headers }) {
  return /(?:^|; )session=([\w-]+)/.exec(headers.cookie ?? "")?.[1];
}

function same(wanted, given = "") {
  return wanted.length === given.length && timingSafeEqual(Buffer.from(wanted), Buffer.from(given));
}

async function fanfare(path, body) {
  const answer = await fetch(FANFARE + path, {
    method: "POST",
    headers: { Authorization: `Bearer ${API_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`Fanfare answered ${answer.status}: ${await answer.text()}`);
}

server.listen(process.env.PORT ?? 8080, () => console.log(`http://localhost:${server.address().port}/`));
