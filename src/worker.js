// The service worker: opens the page without a network, from the files of one build. Knows those files and nothing
// else: what is the stream's (/ws, /api, /hooks, /health …), other origins' or no GET goes its way untouched.
// `VERSION` and `FILES` are written in by the build (xtask/src/shell.rs).

// What a host may take to answer before the page opens from what is kept.
const PATIENCE_MILLIS = 3_000;
// A deployment writes its own, after the build.
const CONFIG = "/config.json";

const kept = () => caches.open(VERSION);

async function install() {
  // Anew, even if this version was here before: the last cache is that of the newest version.
  await caches.delete(VERSION);
  const cache = await kept();
  await cache.addAll(FILES);
  const page = await cache.match("/");
  if (!(await page.text()).includes(VERSION)) throw new Error("the page was replaced while it was kept");
  // No page is reloaded by that: open ones find their own files in their own cache.
  await skipWaiting();
}

/** Deletes what older versions kept, unless an open page holds it (src/renewal.js). */
async function sweep() {
  const names = (await caches.keys()).filter((name) => name.startsWith("monkeytown-"));
  const { held } = await navigator.locks.query();
  const used = held.map((lock) => lock.name);
  const old = names.slice(0, Math.max(0, names.indexOf(VERSION)));
  await Promise.all(old.filter((name) => !used.includes(name)).map((name) => caches.delete(name)));
}

/** A name under /assets/ never changes its content, whichever version it is of. */
async function asset(request) {
  return (await caches.match(request, { ignoreVary: true }).catch(() => {})) ?? fetch(request);
}

async function freshest(event, path) {
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MILLIS));
  const answer = await Promise.race([fetch(event.request).catch(() => {}), late]);
  if (path === CONFIG && answer?.ok) {
    const copy = answer.clone();
    event.waitUntil(kept().then((cache) => cache.put(CONFIG, copy)));
  }
  if (answer?.status < 500) return answer;
  const last = await kept()
    .then((cache) => cache.match(path, { ignoreVary: true }))
    .catch(() => {});
  return last ?? answer ?? fetch(event.request);
}

addEventListener("install", (event) => {
  // Where a browser can, what is the stream's does not even wake this: a worker that dies fails whatever passes it.
  const routed = event.addRoutes?.({ condition: { urlPattern: "/api/*" }, source: "network" });
  routed?.catch(() => {});
  event.waitUntil(
    install().catch(async (why) => {
      await caches.delete(VERSION);
      throw why;
    }),
  );
});

addEventListener("activate", (event) => event.waitUntil(sweep()));

addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (pathname.startsWith("/assets/")) {
    event.respondWith(asset(request));
  } else if (FILES.includes(pathname)) {
    event.respondWith(freshest(event, pathname));
    if (pathname === "/") event.waitUntil(sweep());
  }
});
