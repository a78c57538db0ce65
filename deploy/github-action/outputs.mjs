// How much a run wrote: the files that it names, or what differs from the commit that it began with.

import { spawnSync } from "node:child_process";
import { lstatSync, opendirSync } from "node:fs";
import { join, resolve } from "node:path";
import { say, warn } from "./runner.mjs";

/** Bounds of the look: a run may have written a great many files. Nothing else happens meanwhile. */
const LOOK_MAX_MILLIS = 4000;
const FILES_MAX = 200_000;
const LIST_MAX_BYTES = 64 * 1024 * 1024;

/** Bytes of all files that the run wrote, within so many milliseconds; undefined when that is not known. */
export function outputBytes({ outputs, workspace, began }, within) {
  const look = { until: Date.now() + Math.min(within, LOOK_MAX_MILLIS), left: FILES_MAX };
  const paths = outputs ? outputs.split("\n").map((path) => path.trim()).filter(Boolean) : changed(workspace, began, look);
  if (paths === undefined) return undefined;
  let total = 0;
  for (const path of paths) {
    const size = sizeOf(resolve(workspace, path), look);
    if (size === undefined) {
      warn("the size of what the run wrote is not told: there are too many files to look at");
      return undefined;
    }
    total += size;
  }
  return total;
}

/** Paths of files that are not as they were in the commit `began`, committed since or not. */
function changed(workspace, began, look) {
  if (!/^[0-9a-f]{40,64}$/.test(began)) return undefined;
  const git = (...rest) => {
    // What the run wrote may be a configuration of Git too: it names no program to start here.
    const safe = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", workspace, ...rest];
    const bounds = { timeout: Math.max(look.until - Date.now(), 1), maxBuffer: LIST_MAX_BYTES };
    const done = spawnSync("git", safe, { ...bounds, stdio: ["ignore", "pipe", "ignore"] });
    return done.status === 0 ? done.stdout.toString("utf8").split("\0").filter(Boolean) : undefined;
  };
  const root = git("rev-parse", "--show-toplevel");
  const differ = ["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--diff-filter=d", "--relative"];
  const tracked = root && git(...differ, began, "--");
  const others = tracked && git("ls-files", "--others", "--exclude-standard", "-z");
  if (!others) {
    say("the size of what the run wrote is not told: there is no checkout of the commit that it began with");
    return undefined;
  }
  return [...new Set([...tracked, ...others])];
}

/** Bytes of a file, or of all files in a folder; undefined when the look takes too long. What is not there has none. */
function sizeOf(path, look) {
  look.left -= 1;
  if (look.left < 0 || Date.now() > look.until) return undefined;
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return 0;
  // A link may lead anywhere, and what it leads to was not written.
  if (!found.isDirectory()) return found.isFile() ? found.size : 0;
  const folder = opendirSync(path);
  let total = 0;
  try {
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) {
      const size = sizeOf(join(path, entry.name), look);
      if (size === undefined) return undefined;
      total += size;
    }
  } finally {
    folder.closeSync();
  }
  return total;
}
