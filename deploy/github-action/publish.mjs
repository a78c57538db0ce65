// The publish action: reads the run, tells the stream of it, gives the outputs. Ends well whatever happens, in time.

import { events, figures, lost, read } from "./run.mjs";
import { give, say, warn } from "./runner.mjs";
import { address, isToken, send } from "./sending.mjs";

const env = { ...process.env };
// No program that is started from here is given it.
delete process.env.PUBLISH_TOKEN;

const asked = Number(env.PUBLISH_SECONDS || 20);
const seconds = asked >= 1 && asked <= 120 ? asked : 20;
const deadline = Date.now() + seconds * 1000;
// What nobody foresaw may stall too.
setTimeout(() => {
  warn("publishing took too long and was left");
  process.exit(0);
}, seconds * 1000 + 2000);

const run = read(env);
const traceId = run.traceparent.split("-")[1];
const trailer = `Trace-Id: ${traceId}`;
const outputs = { "trace-id": traceId, traceparent: run.traceparent, trailer, published: 0, "left-out": 0 };
try {
  if (run.status === "started") {
    give(env.GITHUB_ENV, { MONKEYTOWN_EVENTS: run.file, TRACEPARENT: run.traceparent });
  }
  const ends = run.status !== "started" && run.status !== "running";
  const found = ends ? figures(run, (seconds * 1000) / 2) : {};
  outputs["output-bytes"] = found.output_bytes ?? "";
  outputs["api-calls"] = found.api_calls ?? "";
  const told = events(run, found);
  const { url, wrong } = address((env.PUBLISH_STREAM ?? "").trim());
  const token = (env.PUBLISH_TOKEN ?? "").trim();
  if (wrong) {
    lost.events += told.length;
    warn(`nothing was published: ${wrong}`);
  } else if (!isToken(token)) {
    lost.events += told.length;
  } else if (told.length > 0) {
    outputs.published = await send(told, { url, token, deadline });
  }
  outputs["left-out"] = lost.events;
  say(`events published: ${outputs.published}, left out: ${lost.events}, trace: ${traceId}`);
} catch (error) {
  // Its message may hold what it was given.
  warn(`publishing broke off (${error?.code ?? error?.name ?? "no reason given"})`);
}
give(env.GITHUB_OUTPUT, outputs);
// A connection that is kept would hold the step.
process.exit(0);
