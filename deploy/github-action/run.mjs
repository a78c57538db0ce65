// What a run says of itself: whose it is, how it stands, what it wrote, and under which names. Knows no network.

import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outputBytes } from "./outputs.mjs";
import { plain, say, warn } from "./runner.mjs";

/** As in the stream (`docs/events.md`). */
const ID_MAX_BYTES = 256;
const TEXT_MAX_BYTES = 2048;
const EVENT_MAX_BYTES = 16_384;
/** What is read of the run's own events. */
const FILE_MAX_BYTES = 8 * 1024 * 1024;
const LINES_MAX = 10_000;

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

const digest = (...parts) => createHash("sha256").update(JSON.stringify(parts)).digest("hex");
const bytes = (text) => Buffer.byteLength(text, "utf8");

/** The beginning of `text` that has at most `most` bytes; what was cut shows as an ellipsis. */
export function fitted(text, most = TEXT_MAX_BYTES) {
  const whole = text.toWellFormed ? text.toWellFormed() : text.replace(/\p{Surrogate}/gu, "\ufffd");
  if (bytes(whole) <= most) return whole;
  let kept = "";
  let room = most - 3;
  for (const character of whole) {
    room -= bytes(character);
    if (room < 0) break;
    kept += character;
  }
  return `${kept}…`;
}

/** `text` as an id: one line, and when it is too long its beginning and a digest of all of it. */
function id(text) {
  const line = fitted(text.replace(/\p{Cc}+/gu, " ").trim(), Infinity);
  return bytes(line) <= ID_MAX_BYTES ? line : `${fitted(line, ID_MAX_BYTES - 17)}~${digest(line).slice(0, 16)}`;
}

/** What is known of the run from the runner's environment and the inputs. */
export function read(env) {
  const given = (name) => (env[`PUBLISH_${name}`] ?? "").trim();
  const agent = id(given("AGENT") || env.GITHUB_WORKFLOW || "agent");
  const number = `${env.GITHUB_RUN_ID || "0"}-${env.GITHUB_RUN_ATTEMPT || "1"}`;
  const repository = `${env.GITHUB_SERVER_URL ?? ""}/${env.GITHUB_REPOSITORY ?? ""}`;
  const page = `${repository}/actions/runs/${env.GITHUB_RUN_ID ?? ""}`;
  // Several jobs and several agents of a job share the run's number.
  const job = digest(repository, env.GITHUB_JOB ?? "", given("JOB_INDEX"), agent).slice(0, 8);
  const trace = [given("TRACEPARENT"), env.TRACEPARENT ?? ""].find((one) => TRACEPARENT.test(one));
  const made = [digest("trace", repository, number).slice(0, 32), digest("span", job, number).slice(0, 16)];
  if (given("TRACEPARENT") && !TRACEPARENT.test(given("TRACEPARENT"))) warn("traceparent is no W3C trace context");
  const source = given("SOURCE") || `/agents/${encodeURIComponent(agent)}`;
  return {
    agent,
    name: `run-${number}/${job}`,
    status: given("STATUS"),
    label: given("LABEL"),
    activity: given("ACTIVITY"),
    reason: given("REASON"),
    workflow: env.GITHUB_WORKFLOW || agent,
    runNumber: env.GITHUB_RUN_NUMBER ?? "",
    url: /^https:\/\/[\x21-\x7e]+$/.test(page) && page.length <= TEXT_MAX_BYTES ? page : undefined,
    source: bytes(source) <= ID_MAX_BYTES ? id(source) : `/agents/${digest(source).slice(0, 32)}`,
    // The same run has the same trace in each of its steps, without one telling the other.
    traceparent: trace ?? `00-${made.join("-")}-01`,
    file: given("EVENTS") || join(env.RUNNER_TEMP || tmpdir(), "monkeytown-events.jsonl"),
    outputs: given("OUTPUTS"),
    workspace: env.GITHUB_WORKSPACE || ".",
    began: env.GITHUB_SHA ?? "",
    apiCalls: given("API_CALLS"),
  };
}

/** Figures of the run that ends, what it wrote and asked, as far as they are known within so many milliseconds. */
export function figures(run, within) {
  const found = {};
  const size = outputBytes(run, within);
  if (size !== undefined) found.output_bytes = size;
  if (/^\d{1,9}$/.test(run.apiCalls)) found.api_calls = Number(run.apiCalls);
  else if (run.apiCalls) warn("api-calls is no number, and is not told");
  return found;
}

/** The run's events, in order; each with the place that a warning names. */
export function events(run, found) {
  const text = (value) => fitted(value.replace(/\p{Cc}+/gu, " ").trim());
  const entity = (at, verb, data) =>
    envelope(run, { id: `${run.name}/${at}`, type: `monkeytown.entity.${verb}`, data });
  const label = run.label && { label: text(run.label) };
  const agent = { id: run.agent, kind: "agent", ...label, ...(run.url && { url: run.url }) };
  if (run.status === "started") {
    const activity = text(run.activity || `running ${run.workflow}`);
    return [entity("started", "status_changed", { ...agent, status: "processing", activity, reason: null })];
  }
  const told = written(run);
  if (run.status === "running") return told;
  const broken = { failure: "failed", cancelled: "cancelled" }[run.status];
  if (run.status !== "success" && !broken) {
    const known = "started, running, success, failure, cancelled";
    warn(`status is \`${plain(run.status, 40)}\`, and none of: ${known}; only what the run wrote is published`);
    return told;
  }
  const called = run.runNumber ? `${run.workflow} #${run.runNumber}` : run.workflow;
  const activity = text(run.activity || called);
  const how = broken ? { status: "error", reason: text(run.reason || broken) } : { status: "complete" };
  told.push(entity("ended", "status_changed", { ...agent, activity, ...how }));
  if (Object.keys(found).length > 0) {
    told.push(entity("figures", "metrics_updated", { id: run.agent, metrics: found }));
  }
  // Who has done its work rests; who is broken stays so until its next run.
  if (!broken) told.push(entity("rests", "status_changed", { id: run.agent, status: "idle" }));
  return told;
}

function envelope(run, event, place = event.id) {
  const { source, traceparent } = run;
  const whole = { specversion: "1.0", source, time: new Date().toISOString(), traceparent, ...event };
  return { place, json: JSON.stringify(whole) };
}

/** The events that the run itself wrote, one on each line. */
function written(run) {
  let content;
  try {
    const found = statSync(run.file, { throwIfNoEntry: false });
    if (!found) return [];
    // A pipe would never end.
    if (!found.isFile()) throw Object.assign(new Error(), { code: "no file" });
    if (found.size > FILE_MAX_BYTES) throw Object.assign(new Error(), { code: `over ${FILE_MAX_BYTES} bytes` });
    content = readFileSync(run.file, "utf8");
  } catch (error) {
    warn(`the run's own events cannot be read (${error.code ?? "no reason given"})`);
    return [];
  }
  const lines = content.split("\n").map((line, at) => [line.trim(), at + 1]).filter(([line]) => line !== "");
  const over = lines.length - LINES_MAX;
  if (over > 0) leaveOut(`what follows the first ${LINES_MAX} events of the run`, over);
  const told = [];
  for (const [line, at] of lines.slice(0, LINES_MAX)) {
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      event = undefined;
    }
    if (event === null || typeof event !== "object" || Array.isArray(event)) {
      leaveOut(`line ${at}, which is no JSON object`);
      continue;
    }
    const made = envelope(run, { id: `${run.name}/line-${at}`, ...event }, `line ${at}`);
    if (bytes(made.json) > EVENT_MAX_BYTES) leaveOut(`line ${at}, an event of over ${EVENT_MAX_BYTES} bytes`);
    else told.push(made);
  }
  if (told.length > 0) say(`${told.length} events of the run's own`);
  return told;
}

/** Events that were not published. */
export const lost = { events: 0 };

/** Says that events are not published, and counts them. */
export function leaveOut(what, count = 1) {
  lost.events += count;
  warn(`not published: ${what}`);
}
