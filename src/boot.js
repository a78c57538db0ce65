// Starts the page's program, and says in words when it cannot, or when it stops. Owns the element `#boot`, which is gone
// once the program has mounted. It knows nothing of events, of the stream or of what the page shows.
// A module of its own, since the Content-Security-Policy forbids inline scripts.

import "./hands.js";
import { renew } from "./renewal.js";
import { unpack } from "./unpack.js";

// Without a single byte for so long, the line counts as dead. Far above any pause of a slow line.
const STALL_MILLIS = 30_000;
// After so long the witness is told what is being waited for.
const PATIENCE_MILLIS = 4_000;

const boot = document.getElementById("boot");
const { js, wasm } = document.querySelector("script[data-wasm]").dataset;

// What the witness can do, by what stopped the start.
const ADVICE = {
  network: "tried once. check the connection, then try again; when the network comes back, the page tries by itself",
  replaced: "tried once. a newer version may have taken its place: trying again fetches that one",
  program: "trying again may help; if it does not, this text says what to report",
};

/** What stopped the start: a sentence for the witness, and which advice fits. */
class Halt extends Error {
  constructor(sentence, advice) {
    super(sentence);
    this.advice = advice;
  }
}

function paragraph(text) {
  const element = document.createElement("p");
  element.textContent = text;
  return element;
}

/** Rejects when `promise` takes longer than a dead line would. */
function orStalled(promise, what) {
  return new Promise((resolve, reject) => {
    const seconds = STALL_MILLIS / 1000;
    const halt = new Halt(`${what} did not arrive within ${seconds} seconds, and the line was left`, "network");
    const timer = setTimeout(() => reject(halt), STALL_MILLIS);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** The program's bytes as they come; gives up on a line that is silent for too long, not on one that is slow. */
async function fetchProgram(url) {
  const abort = new AbortController();
  const halt = new Halt(`the program (${url}) stopped arriving: ${STALL_MILLIS / 1000} seconds without a byte`, "network");
  let watchdog;
  const heard = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => abort.abort(halt), STALL_MILLIS);
  };
  heard();
  let response;
  try {
    // The same mode and credentials as the preload, which would otherwise be fetched twice.
    response = await fetch(url, { signal: abort.signal });
  } catch (cause) {
    clearTimeout(watchdog);
    throw abort.signal.aborted ? halt : new Halt(`the program (${url}) could not be fetched: ${cause.message}`, "network");
  }
  if (!response.ok) {
    clearTimeout(watchdog);
    throw new Halt(`the program (${url}) was answered with ${response.status}`, "replaced");
  }
  const counted = new TransformStream({
    transform(chunk, out) {
      heard();
      out.enqueue(chunk);
    },
    flush: () => clearTimeout(watchdog),
  });
  return { response: new Response(response.body.pipeThrough(counted), response), abort, halt };
}

async function start() {
  if (typeof WebAssembly !== "object") {
    throw new Halt(
      "this browser does not run WebAssembly, or its settings forbid it. the page is a WebAssembly program: " +
        "allow it for this address, or open the page in a current Firefox, Chromium or Safari",
      "program",
    );
  }
  const glue = orStalled(import(js), `the program's first part (${js})`).catch((cause) => {
    throw cause instanceof Halt ? cause : new Halt(`the program's first part (${js}) could not be fetched: ${cause.message}`, "network");
  });
  const [{ default: init }, program] = await Promise.all([glue, fetchProgram(wasm)]);
  try {
    const packed = new Uint8Array(await program.response.arrayBuffer());
    await init({ module_or_path: unpack(packed) });
  } catch (cause) {
    if (program.abort.signal.aborted) throw program.halt;
    // A body cut short rejects with a TypeError of the network; anything else is the program's own end.
    const cut = cause instanceof TypeError;
    throw new Halt(`${cut ? "the program did not arrive whole" : "the program stopped while it started"}: ${cause.message}`, cut ? "network" : "program");
  }
}

function explain(halt) {
  const retry = document.createElement("button");
  retry.type = "button";
  retry.textContent = "try again";
  retry.addEventListener("click", () => location.reload());
  boot.replaceChildren(paragraph(`broken: ${halt.message}`), paragraph(ADVICE[halt.advice]), retry);
  boot.setAttribute("role", "alert");
  if (halt.advice === "network") addEventListener("online", () => location.reload(), { once: true });
}

/** The program has trapped, while it ran: what is shown from here on is not kept true. */
function stop({ error, reason }) {
  if (boot.isConnected || !((error ?? reason) instanceof WebAssembly.RuntimeError)) return;
  const notice = document.getElementById("notice");
  notice.hidden = false;
  notice.querySelector("[data-p=words]").textContent =
    "broken: this page's program has stopped, and shows nothing new. reload the page";
  document.getElementById("page").dataset.health = "disconnected";
  const connection = document.getElementById("connection");
  connection.dataset.state = "offline";
  connection.querySelector("[data-p=state]").textContent = "stopped";
}

addEventListener("error", stop);
addEventListener("unhandledrejection", stop);

// What breathes and beats does so in steps too small to be seen, all at the same moments: while flows run there is a
// frame sixty times a second, and in each of them the browser would restyle everybody who breathes. The style sheet still
// says who does, and how fast.
addEventListener("animationstart", ({ target, animationName }) => {
  if (animationName !== "breathe" && animationName !== "beat") return;
  for (const animation of target.getAnimations?.() ?? []) {
    if (animation.animationName !== animationName) continue;
    animation.startTime = 0;
    animation.effect.updateTiming({ easing: `steps(${animationName === "beat" ? 24 : 8})` });
  }
});

// Browsers that do not know `inert` (Chromium before 102, Firefox before 112): the style sheet hides what lies behind there.
if (!("inert" in HTMLElement.prototype)) document.documentElement.dataset.noInert = "";

const patience = setTimeout(() => {
  boot.firstElementChild.textContent = "waiting for the page's program to arrive; a slow line takes up to a minute";
}, PATIENCE_MILLIS);

start()
  .then(() => {
    boot.remove();
    // In another page nothing is kept.
    if (document.documentElement.dataset.embed === undefined) (window.requestIdleCallback ?? setTimeout)(renew);
  })
  .catch((cause) => explain(cause instanceof Halt ? cause : new Halt(cause.message, "program")))
  .finally(() => clearTimeout(patience));
