// How events reach the stream: in batches, again where that may help, and within a time. Knows no run.

import http from "node:http";
import https from "node:https";
import { leaveOut } from "./run.mjs";
import { plain, say, warn } from "./runner.mjs";

/** A request is far below what a stream takes (4 MiB, 10,000 events). */
const BATCH_MAX_BYTES = 512 * 1024;
const BATCH_MAX_EVENTS = 200;
/** Longest wait for one answer, and what is read of it. */
const ANSWER_MAX_MILLIS = 8000;
const ANSWER_MAX_BYTES = 256 * 1024;
/** Back-off with full jitter, unless the stream says when. */
const BACKOFF_BASE_MILLIS = 500;
const BACKOFF_CAP_MILLIS = 5000;
/** At least so long, and as much again by chance: runs that waited together do not come together. */
const PAUSE_MIN_MILLIS = 200;
/** Statuses that pass. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** What may be asked for; a message when it may not. */
export function address(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return { wrong: "stream is no address: give one such as https://stream.example.org" };
  }
  const loopback = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && loopback)) {
    return { wrong: "stream must begin with https://, since the token is sent to it" };
  }
  if (url.username || url.password || url.search) {
    return { wrong: "stream holds no name, password or query: the token has an input of its own" };
  }
  url.hash = "";
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/api/v1/events`;
  return { url };
}

/** Events in the order given, in requests that fit. */
export function batches(events) {
  const made = [];
  let size = Infinity;
  for (const event of events) {
    const bytes = Buffer.byteLength(event.json, "utf8") + 1;
    if (size + bytes > BATCH_MAX_BYTES || made.at(-1).length >= BATCH_MAX_EVENTS) {
      made.push([]);
      size = 1;
    }
    made.at(-1).push(event);
    size += bytes;
  }
  return made;
}

/** Sends all events before `deadline` (milliseconds since 1970). Gives how many the stream has. */
export async function send(events, { url, token, deadline }) {
  const waiting = batches(events);
  let taken = 0;
  let tries = 0;
  const giveUp = (why) => {
    const events = waiting.flat().length;
    leaveOut(`${events} ${events === 1 ? "event" : "events"}, since ${why}`, events);
    return taken;
  };
  while (waiting.length > 0) {
    const [batch] = waiting;
    const left = deadline - Date.now();
    if (left <= 0) return giveUp("the time for publishing is over");
    const answer = await ask(batch, { url, token, within: Math.min(left, ANSWER_MAX_MILLIS) });
    if (answer.status === 200) {
      if (answer.body?.offsets?.length !== batch.length) return giveUp("what answers 200 is no stream");
      taken += batch.length;
      tries = 0;
      waiting.shift();
    } else if (answer.status === undefined || PASSING.has(answer.status)) {
      const backoff = Math.random() * Math.min(BACKOFF_CAP_MILLIS, BACKOFF_BASE_MILLIS * 2 ** tries);
      const wait = (answer.retryAfter ?? backoff) + PAUSE_MIN_MILLIS * (1 + Math.random());
      const why = answer.status === undefined ? `the stream cannot be reached: ${answer.why}` : told(answer);
      tries += 1;
      if (Date.now() + wait >= deadline) return giveUp(`${why}, after ${tries} ${tries === 1 ? "try" : "tries"}`);
      say(`${why}; again in ${(wait / 1000).toFixed(1)} s`);
      await new Promise((done) => setTimeout(done, wait));
    } else if ([400, 403, 413, 422].includes(answer.status)) {
      waiting.splice(0, 1, ...without(batch, answer));
    } else {
      return giveUp(told(answer));
    }
  }
  return taken;
}

/** What is left to send of a batch that was refused whole: all but the event that is pointed at, or its halves. */
function without(batch, answer) {
  const at = Number(/^\/(\d+)(?:\/|$)/.exec(answer.body?.pointer ?? "")?.[1] ?? NaN);
  if (batch.length === 1 || at < batch.length) {
    const [event] = batch.length === 1 ? batch : batch.slice(at);
    leaveOut(`${event.place}: ${told(answer)}`);
    const rest = batch.filter((other) => other !== event);
    return rest.length > 0 ? [rest] : [];
  }
  const half = Math.ceil(batch.length / 2);
  return [batch.slice(0, half), batch.slice(half)];
}

/** A refusal in words. */
function told({ status, body }) {
  const words = {
    401: "the stream refuses the token (401)",
    403: "the token may not speak for this source (403)",
    404: "there is no stream at this address (404)",
    413: "it is too large for the stream (413)",
    429: "the stream is told too much at once (429)",
    503: "the stream takes nothing at present (503)",
  };
  const detail = typeof body?.detail === "string" ? `: ${plain(body.detail)}` : "";
  const pointer = typeof body?.pointer === "string" && body.pointer ? ` at ${plain(body.pointer, 100)}` : "";
  return `${words[status] ?? `the stream answers ${status}`}${detail}${pointer}`;
}

/** One request. Never throws; without a status nothing was answered, and `why` says so. It follows no redirect: the token is
 * for whom it was given to. */
function ask(batch, { url, token, within }) {
  const body = Buffer.from(`[${batch.map((event) => event.json).join(",")}]`);
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/cloudevents-batch+json",
    "content-length": body.length,
  };
  return new Promise((answered) => {
    const { request } = url.protocol === "https:" ? https : http;
    const asking = request(url, { method: "POST", headers, agent: false });
    // Whatever is said first counts: a promise is kept once.
    const over = (answer) => {
      clearTimeout(limit);
      answered(answer);
      asking.destroy();
    };
    const limit = setTimeout(() => over({ why: `no answer within ${(within / 1000).toFixed(1)} s` }), within);
    // Messages may quote a header, and with it the token.
    asking.on("error", ({ code }) => over({ why: plain(code ?? "the connection broke off", 60) }));
    asking.on("close", () => over({ why: "the connection broke off" }));
    asking.on("response", (answer) => {
      const chunks = [];
      let size = 0;
      answer.on("data", (chunk) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > ANSWER_MAX_BYTES) over({ why: "its answer is too long" });
      });
      answer.on("end", () => {
        // One that broke off may be of a request that was taken: sent again, it is known again.
        if (!answer.complete) return over({ why: "its answer broke off" });
        const wait = retryAfter(answer.headers["retry-after"]);
        return over({ status: answer.statusCode, body: json(Buffer.concat(chunks)), retryAfter: wait });
      });
    });
    asking.end(body);
  });
}

function json(bytes) {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}

/** Milliseconds that the stream asks to be left alone for; undefined when it names none. */
function retryAfter(text) {
  if (text === undefined) return undefined;
  const wait = /^\d{1,6}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(wait) ? Math.max(wait, 0) : undefined;
}

/** Whether a header can carry it. */
export function isToken(text) {
  if (/^[\x21-\x7e]{1,4096}$/.test(text)) return true;
  const wrong = text ? "token holds blanks, control characters or other than ASCII" : "there is no token";
  warn(`nothing was published: ${wrong}; give the stream's as the input \`token\``);
  return false;
}
