// What the witness takes along or brings, and what else only the browser can do: files, the clipboard, how much room
// there is. The program asks by an event on the document (src/hands.rs); words go there and back by the element #hands.
// Knows nothing of what they say.

// The largest file that is read: over it, it cannot be one that this page wrote.
const FILE_MAX_BYTES = 10_000_000;
// How long a file is offered: the browser may still be reading it.
const OFFERED_MILLIS = 60_000;

const hands = document.getElementById("hands");

/** Tells the program, as if it were entered in a field of this name. */
function tell(name, words) {
  hands.name = name;
  hands.value = words;
  hands.dispatchEvent(new Event("input", { bubbles: true }));
}

// What is pressed before the program listens is pressed once it does: the last, so that nothing happens twice.
let pressed;
const hold = ({ target }) => {
  pressed = target.closest("button") ?? pressed;
};
addEventListener("click", hold);

const size = (bytes) => (bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`);

const asked = {
  /** The program listens. */
  listens() {
    removeEventListener("click", hold);
    if (pressed?.isConnected) pressed.click();
  },
  /** Brings the seed whose key is in hand into view, once the sheet is there. */
  find() {
    requestAnimationFrame(() => {
      const row = [...document.querySelectorAll("#garden li")].find(({ dataset }) => dataset.key === hands.value);
      row?.scrollIntoView({ block: "center" });
      row?.querySelector("[href], button:not([hidden])")?.focus({ preventScroll: true });
    });
  },
  /** Offers what is in hand as a file. */
  "hand-out"() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([hands.value], { type: "application/json" }));
    link.download = `monkeytown-${new Date().toISOString().slice(0, 10)}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), OFFERED_MILLIS);
    tell("told", `offered as ${link.download}`);
  },
  async copy() {
    await navigator.clipboard.writeText(hands.value);
    tell("told", "copied");
  },
  async room() {
    const { usage, quota } = await navigator.storage.estimate();
    tell("told", `this browser says that it holds ${size(usage)} for this page, and would hold ${size(quota)}`);
  },
  async bring() {
    const field = document.getElementById("bring");
    const [file] = field.files;
    if (!file) return;
    const words = file.size > FILE_MAX_BYTES ? "" : await file.text();
    field.value = "";
    if (file.size > FILE_MAX_BYTES) return tell("told", "the file is not kept: it is larger than all that may be kept here");
    tell("brought", words);
  },
  /** Everything that this browser holds of the page goes: the witness has said so. */
  async erase() {
    const registrations = (await navigator.serviceWorker?.getRegistrations()) ?? [];
    const ours = registrations.filter(({ active }) => active?.scriptURL === new URL("/worker.js", location).href);
    await Promise.all(ours.map((registration) => registration.unregister()));
    // Over plain http there are none.
    if (!globalThis.caches) return;
    const names = (await caches.keys()).filter((name) => name.startsWith("monkeytown-"));
    await Promise.all(names.map((name) => caches.delete(name)));
  },
};

document.addEventListener("hands", async () => {
  const what = asked[hands.title];
  try {
    await what();
  } catch {
    tell("told", "this browser does not let the page do that");
  }
});
