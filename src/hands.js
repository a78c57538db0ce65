// What the witness takes along or brings, and what else only the browser can do: files, the clipboard, how much room
// there is, the address and its history, where the focus goes. The program asks by an event on the document (src/hands.rs);
// words go there and back by the element #hands. Knows nothing of what they say. It also follows the hand and the keys on
// the time axis.

// The largest file that is read: over it, it cannot be one that this page wrote.
const FILE_MAX_BYTES = 10_000_000;
// Changes of the address that may be made at once, and in how many milliseconds another may: Safari takes 100 in 30 seconds.
const ADDRESS_BURST = 10;
const ADDRESS_MILLIS = 400;
// How long a step back may take.
const BACK_MILLIS = 1_000;
// Steps back that are remembered.
const TRAIL_MAX = 30;
// How long a file is offered: the browser may still be reading it.
const OFFERED_MILLIS = 60_000;

const hands = document.getElementById("hands");

// In a frame, whoever's it is, the page is the terrarium alone, whatever its address says: so nobody can be led to press what
// they do not see. `?embed` asks for the same. The wordmark leads to the whole page.
const whole = new URL(location);
if (parent !== window || whole.searchParams.has("embed")) {
  whole.searchParams.delete("embed");
  document.documentElement.dataset.embed = "";
  document.getElementById("connection").disabled = true;
  const title = "opens the whole page in a new tab";
  const name = document.getElementById("t-agent").content.querySelector("h3 button");
  name.removeAttribute("aria-haspopup");
  name.title = title;
  const mark = document.getElementById("wordmark");
  const link = Object.assign(document.createElement("a"), { target: "_blank", rel: "noopener", title });
  const lead = () => {
    whole.hash = location.hash;
    link.href = whole;
  };
  link.onfocus = link.onpointerenter = lead;
  lead();
  mark.before(link);
  link.append(mark);
}

/** Tells the program, as if it were entered in a field of this name. */
function tell(name, words) {
  hands.name = name;
  hands.value = words;
  hands.dispatchEvent(new Event("input", { bubbles: true }));
  // Browsers keep what stands in fields for the next visit.
  hands.value = "";
}

// What is pressed before the program listens is pressed once it does: the last, so that nothing happens twice.
let pressed;
const hold = ({ target }) => {
  pressed = target.closest("button") ?? pressed;
};
addEventListener("click", hold);

// The change of the address that waits, how many may be made now and since when, and to where the browser is on its way back.
let waiting;
let free = ADDRESS_BURST;
let freeAt = 0;
let goingTo;
let timer;

function moveIn(millis) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    goingTo = undefined;
    move();
  }, millis);
}

/** Changes the address to what waits: each step of the history remembers those before it. */
function move() {
  if (!waiting || goingTo !== undefined) return;
  const now = performance.now();
  free = Math.min(ADDRESS_BURST, free + (now - freeAt) / ADDRESS_MILLIS);
  freeAt = now;
  if (free < 1) return moveIn(ADDRESS_MILLIS);
  const { how, hash } = waiting;
  waiting = undefined;
  const here = location.hash;
  if (hash === here) return;
  free -= 1;
  const trail = history.state?.trail ?? [];
  const behind = how === "back" ? trail.lastIndexOf(hash) : -1;
  if (behind >= 0) {
    goingTo = hash;
    history.go(behind - trail.length);
    // It may be called off.
    return moveIn(BACK_MILLIS);
  }
  const to = location.pathname + location.search + hash;
  if (how === "on") history.pushState({ trail: [...trail, here].slice(-TRAIL_MAX) }, "", to);
  else history.replaceState({ trail }, "", to);
}

/** Changes the address, but not too often: of what comes meanwhile the last counts. */
function change(how) {
  waiting = { how: how === "here" ? (waiting?.how ?? how) : how, hash: hands.value };
  move();
}

addEventListener("hashchange", () => {
  const ours = location.hash === goingTo;
  goingTo = undefined;
  if (ours) return move();
  // A place within the page, where a link led, is no address of ours.
  if (/^#[^=]*$/.test(location.hash)) return;
  waiting = undefined;
  tell("address", location.hash);
});

// How long nothing else sounds, or calls for the same agent, in any tab; and how long a hidden tab lets one that is seen go first.
const CALM_MILLIS = 4_000;
const LATER_MILLIS = 1_500;
const wait = (millis) => new Promise((done) => setTimeout(done, millis));
const ours = new Set();
let sounds;

/** Does it in one of the tabs that would, and then in none for a while. */
async function once(name, act) {
  if (ours.has(name)) return;
  ours.add(name);
  setTimeout(() => ours.delete(name), CALM_MILLIS);
  const hold = (mine) => mine && (act(), wait(CALM_MILLIS));
  // Without locks each tab does it.
  await (navigator.locks?.request(name, { ifAvailable: true }, hold).catch(act) ?? act());
}

/** Whether there can be sound: browsers give none before something was pressed. */
async function wakes() {
  if (!globalThis.AudioContext) return false;
  sounds ??= new AudioContext();
  await Promise.race([sounds.resume(), wait(500)]);
  return sounds.state === "running";
}
addEventListener("click", () => sounds?.resume());

/** Two soft notes: up when something settled, down when it broke. */
function chime(broken) {
  for (const [i, pitch] of (broken ? [330, 247] : [523, 784]).entries()) {
    const at = sounds.currentTime + i * 0.16;
    const note = sounds.createOscillator();
    const loud = sounds.createGain();
    note.frequency.value = pitch;
    loud.gain.setValueAtTime(0, at);
    loud.gain.linearRampToValueAtTime(0.08, at + 0.02);
    loud.gain.exponentialRampToValueAtTime(0.001, at + 0.5);
    note.connect(loud).connect(sounds.destination);
    note.start(at);
    note.stop(at + 0.5);
  }
}

// What had the focus before it was sent somewhere.
let before;

const size = (bytes) => (bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`);

const asked = {
  /** The program listens. */
  listens() {
    removeEventListener("click", hold);
    tell("address", location.hash);
    if (pressed?.isConnected) pressed.click();
  },
  on: () => change("on"),
  back: () => change("back"),
  here: () => change("here"),
  /** Gives the focus to what is in hand, once it is there. */
  focus() {
    before = document.activeElement;
    const to = hands.value;
    requestAnimationFrame(() => document.querySelector(to)?.focus());
  },
  /** Takes the focus back to where it was before. */
  unfocus() {
    document.activeElement.blur();
    before?.focus();
    if (document.activeElement === document.body) document.getElementById("pause").focus();
  },
  /** Gives the focus to the nearest agent that way: aside counts twice. From nobody, to the first. */
  step() {
    const [x, y] = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] }[hands.value.toLowerCase()];
    const middle = (one) => {
      const { left, top, width, height } = one.getBoundingClientRect();
      return [left + width / 2, top + height / 2];
    };
    const all = [...document.querySelectorAll("#agents h3 button")];
    const from = document.activeElement.closest(".agent")?.querySelector("h3 button");
    const [fromX, fromY] = from ? middle(from) : [0, 0];
    let best = Infinity;
    let next = from ? undefined : all[0];
    for (const one of from ? all : []) {
      const [toX, toY] = middle(one);
      const ahead = (toX - fromX) * x + (toY - fromY) * y;
      const far = ahead + 2 * Math.abs((toX - fromX) * y + (toY - fromY) * x);
      if (ahead > 1 && far < best) [best, next] = [far, one];
    }
    next?.focus();
  },
  /** Brings the seed whose key is in hand into view, once the sheet is there. */
  find() {
    const key = hands.value;
    requestAnimationFrame(() => {
      const row = [...document.querySelectorAll("#garden li")].find(({ dataset }) => dataset.key === key);
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
  /** Opens the whole page in a tab of its own, at what is in hand. */
  whole() {
    whole.hash = hands.value;
    open(whole, "_blank", "noopener");
  },
  /** Turns sound on: with a sample. */
  async sound() {
    if (!globalThis.AudioContext) return tell("told", "this browser makes no sound for the page: it stays off");
    if (await wakes()) chime();
    tell("sound", "");
  },
  async chime() {
    const broken = hands.value;
    if (await wakes()) await once("monkeytown chime", () => chime(broken));
  },
  /** Turns notices on, with one: some browsers have them and show none. */
  async notices() {
    if (!globalThis.Notification) return tell("told", "this browser shows no notices: they stay off");
    if ((await Notification.requestPermission()) !== "granted") {
      return tell("told", "this browser is told to show no notices of this page: they stay off. its settings for this address allow them");
    }
    new Notification("notices are on", { body: "one comes when somebody pinned breaks and nobody looks" });
    tell("notices", "");
  },
  /** Calls for the agent in hand, unless some tab is seen. What the stream tells stays text. */
  async notify() {
    const [tag, title, ...body] = hands.value.split("\n");
    if (document.hidden) await wait(LATER_MILLIS);
    await once(`monkeytown notice ${tag}`, () => {
      if (!document.hidden || globalThis.Notification?.permission !== "granted") return;
      const notice = new Notification(title, { body: body.join(" "), tag, icon: "/icon-192.png" });
      notice.onclick = () => {
        focus();
        // Of the present; what else is looked at stays.
        const rest = location.hash.slice(1).split("&").filter((part) => part && !/^(entity|tab|at)=/.test(part));
        location.hash = [`entity=${encodeURIComponent(tag)}`, ...rest].join("&");
        notice.close();
      };
    });
  },
  /** A red dot on the page's icon while something is in hand. */
  async icon() {
    const link = document.querySelector("link[rel=icon]");
    link.title = hands.value;
    const drawn = await (await fetch("/favicon.svg")).text();
    const dot = '<circle cx="18" cy="18" r="6" fill="#ef4444"/></svg>';
    link.href = link.title ? `data:image/svg+xml,${encodeURIComponent(drawn.replace("</svg>", dot))}` : "/favicon.svg";
  },
  /** Copies the address of what is in hand. */
  link() {
    hands.value = location.href.split("#")[0] + hands.value;
    return asked.copy();
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

// The time axis under a hand, and its keys. A moment is asked for at once, and then so often at most; the last one always.
const ASK_MILLIS = 250;
const HOUR = 3_600_000;
// In bins of the axis, of which there are 120 at each depth.
const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -120, PageUp: 120 };

const axis = document.getElementById("axis");
const span = () => +axis.dataset.span || HOUR;
let later;
let askedAt = -ASK_MILLIS;
// What was aimed at last, and when: until the page is there, keys go on from it. `base` is where the axis ended when the hand
// came; 0 while there is none.
let aim;
let aimedAt = -HOUR;
let base = 0;

function ask(moment) {
  clearTimeout(later);
  const wait = askedAt + ASK_MILLIS - performance.now();
  if (wait > 0) {
    later = setTimeout(ask, wait, moment);
  } else {
    askedAt = performance.now();
    tell("moment", moment);
  }
}

function aimAt(millis) {
  // The years that a moment of the stream can lie in.
  aim = Math.min(Math.max(millis, -62167219200000), 253402300799999);
  aimedAt = performance.now();
  const moment = new Date(aim).toISOString();
  if (base) axis.dataset.hand = moment.slice(span() > HOUR ? 5 : 11, 19).replace("T", " ");
  ask(moment);
}

const shown = () => (performance.now() - aimedAt < 1_000 ? aim : axis.getAttribute("aria-valuenow") * 1_000);

function point({ clientX }) {
  const { left, width } = axis.getBoundingClientRect();
  axis.style.setProperty("--hand", `${clientX - left}px`);
  aimAt(base + ((clientX - left) / width - 1) * span());
}

axis.addEventListener("pointerdown", (event) => {
  if (event.button > 0) return;
  axis.setPointerCapture(event.pointerId);
  base = axis.getAttribute("aria-valuenow") * 1_000;
  point(event);
});
axis.addEventListener("pointermove", (event) => {
  if (base) point(event);
});
for (const over of ["pointerup", "pointercancel"]) {
  axis.addEventListener(over, () => {
    base = 0;
    delete axis.dataset.hand;
  });
}

addEventListener("keydown", (event) => {
  const { key, target, shiftKey, ctrlKey, metaKey, altKey } = event;
  if (ctrlKey || metaKey || altKey || (target !== axis && (key !== " " || target !== document.body))) return;
  const step = STEPS[key];
  if (key === " ") document.getElementById("pause").click();
  else if (step && shiftKey) tell("moment", step < 0 ? "back" : "on");
  else if (step) aimAt(shown() + (step * span()) / 120);
  else if (key === "Home") ask("earliest");
  else if (key === "End") ask("latest");
  else return;
  event.preventDefault();
});
