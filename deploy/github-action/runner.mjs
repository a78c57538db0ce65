// What GitHub's runner is told: annotations, outputs and variables of later steps. Knows no event and no stream.

import { appendFileSync } from "node:fs";

/** Annotations of one step that GitHub shows. */
const SHOWN_MAX = 10;
let shown = 0;

/** Text of others on one line, cut: it is neither a command to the runner nor a flood. */
export function plain(text, most = 300) {
  const line = String(text).replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ").trim();
  return line.length > most ? `${line.slice(0, most)}…` : line;
}

/** Says what did not go as it should. The run goes on. */
export function warn(text) {
  shown += 1;
  if (shown === SHOWN_MAX) console.log("::warning title=Monkeytown::more went wrong; the log of this step says what");
  const line = plain(text, 600);
  // Only what follows a leading `::` is a command, and a percent sign there is an escape.
  if (shown < SHOWN_MAX) console.log(`::warning title=Monkeytown::${line.replaceAll("%", "%25")}`);
  else console.log(`warning: ${line}`);
}

/** Says what happened, in the log alone. */
export function say(text) {
  console.log(`monkeytown: ${plain(text, 600)}`);
}

/** Gives the step outputs, or later steps variables: names and values of one line. */
export function give(file, values) {
  if (!file) return;
  const lines = Object.entries(values).map(([name, value]) => `${name}=${plain(value, 4096)}\n`);
  try {
    appendFileSync(file, lines.join(""));
  } catch (error) {
    warn(`the runner's file of outputs cannot be written (${error.code ?? "no reason given"})`);
  }
}
