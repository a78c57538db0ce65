// Keeps the page for visits without a network, and offers a newer version when there is one. Owns the service worker's
// registration and the element `#renewal`; knows nothing of the page's program. Where a browser has no service workers
// or refuses one, nothing is said: the page works as well without.

// How often it asks whether there is a newer version, at most.
const LOOK_MILLIS = 3_600_000;
// The name of this version's cache, written in by the build.
const { version } = document.documentElement.dataset;

const silently = () => {};

/** As long as the page is open, and while it still loads, the worker deletes nothing that it may need (src/worker.js). */
async function hold() {
  const left = () => new Promise((leave) => addEventListener("pagehide", leave, { once: true }));
  await navigator.locks.request(version, { mode: "shared" }, left);
}

hold().catch(silently);
addEventListener("pageshow", ({ persisted }) => persisted && hold().catch(silently));

/** Offers to reload when what is newest is newer than this page. */
async function compare() {
  const names = (await caches.keys()).filter((name) => name.startsWith("monkeytown-"));
  const renewal = document.getElementById("renewal");
  // A page that was itself served newer than all that is kept is not among them.
  if (!names.includes(version) || names.at(-1) === version) return;
  renewal.querySelector("button").onclick = () => location.reload();
  renewal.hidden = false;
}

/** To be called when the page has started and has nothing better to do. */
export async function renew() {
  // Without locks a worker could not tell which files are still needed.
  if (!navigator.locks) return;
  try {
    const registration = await navigator.serviceWorker.register("/worker.js");
    registration.onupdatefound = () => {
      registration.installing.onstatechange = () => compare().catch(silently);
    };
    let looked = Date.now();
    const look = () => {
      if (document.hidden) return;
      compare().catch(silently);
      if (Date.now() - looked < LOOK_MILLIS) return;
      looked = Date.now();
      registration.update().catch(silently);
    };
    document.addEventListener("visibilitychange", look);
    setInterval(look, LOOK_MILLIS);
  } catch {
    // Neither https nor loopback, or the browser keeps nothing: each visit needs the network.
  }
}
