// The page: opens the node, and keeps on screen exactly the sections that its state calls for.
//
// The node's state is the only truth. Every event leads to `update`, which compares what should be on screen
// with what is; running it twice, late, or in another order gives the same page, and so does a reload.
// Sections keep their elements while they stay, so that text being typed and the focus survive any event.

import { setText } from "./lib/dom.js";
import { guard } from "./lib/leaving.js";
import { go, placeNow } from "./lib/places.js";
import { currentHubs, domain, isNewcomer, settings, showLink } from "./lib/settings.js";
import { READING, SECTIONS } from "./sections.js";
import { EVENTS, tell } from "./views/news.js";
import { clearNews, toast, toastProblem } from "./views/toast.js";

const LET_IN = "This device was let in. You can write now.";
const STATES = {
  loading: "Opening…",
  trouble: "Not open",
  uninitialised: "Nothing is kept here yet",
  visitor: "You are reading as a visitor",
  requesting: "Waiting to be let in",
  writer: "You are signed in",
  locked: "Locked: you can read, not write",
  revoked: "This device was removed",
  replica: "This browser keeps a copy",
};

/** What every view gets. */
const app = {
  Hypha: undefined, // the class, once the package is loaded
  hypha: undefined, // the open node
  state: "loading", // the node's state, or "loading", or "trouble"
  problem: undefined, // why it is in "trouble"
  choice: {}, // options that the person chose for this visit, such as { storage: "memory" }
  hubs: [],
  own: undefined, // key of this device among the writers; it stays when the device is removed
  pending: undefined, // the sign-in that this tab started
  posted: undefined, // key of the post to bring into view
  seen: new Set(), // keys of the posts that were on screen
  wrote: false, // whether something was written in this visit
  at: placeNow() ?? "diary", // the place
  arrived,
  open,
  go,
  update,
  toast,
};

let openings = 0;
/** Opens the node, or opens it anew with other options. The latest call wins; every failure ends in "trouble". */
async function open(change = {}) {
  const turn = ++openings;
  const before = app.hypha;
  Object.assign(app.choice, change);
  Object.assign(app, { hypha: undefined, own: undefined, pending: undefined, problem: undefined, state: "loading" });
  update();
  let hypha;
  try {
    await before?.close().catch(() => {}); // It is given up in any case.
    app.Hypha ??= (await import("./pkg/index.js")).Hypha;
    app.hubs = await currentHubs();
    const { domain, name, link } = settings;
    const options = { domain, name, link, hubs: app.hubs, ...app.choice };
    for (const [key, value] of Object.entries(options)) if (value === undefined) delete options[key];
    hypha = await app.Hypha.open(options);
  } catch (error) {
    if (turn !== openings) return;
    Object.assign(app, { problem: error, state: "trouble" });
    return update();
  }
  if (turn !== openings) return void hypha.close();
  app.hypha = hypha;
  if (app.choice.link) showLink(app.choice.link);
  for (const name of EVENTS) {
    hypha.addEventListener(name, ({ detail }) => {
      if (hypha !== app.hypha) return;
      tell(app, name, detail);
      update(name);
    });
  }
  update();
}

addEventListener("hashchange", () => {
  const place = placeNow();
  if (!place || place === app.at) return; // an anchor on the page
  app.at = place;
  clearNews();
  update("place");
  const title = document.querySelector("#page h1");
  expecting = true;
  if (title) arrived(title.parentElement);
});

let expecting = false; // whether the focus waits for what is being fetched
/** A part of the page has come: it takes the focus, if that has nowhere to be. */
function arrived(node) {
  const title = node.hidden ? undefined : node.querySelector("[tabindex='-1']");
  const idle = [document.body, document.getElementById("content"), null].includes(document.activeElement);
  if (!expecting || !title || !(idle || document.activeElement.closest("a"))) return;
  expecting = false;
  title.focus({ preventScroll: true });
  if (title.closest("#page")) title.scrollIntoView();
}

const mounted = new Map();
/** Brings the page in line with the node. `why` is the event's name; views may skip what it cannot have changed. */
function update(why = "state") {
  const last = document.body.dataset.state;
  if (app.hypha) app.state = app.hypha.state;
  app.own = app.hypha?.home?.writers().find(({ self }) => self)?.key ?? app.own;
  const focus = document.activeElement;
  const fresh = [];
  // Where a place has nothing to show in this state, the diary does.
  const at = SECTIONS.some((section) => section.at === app.at && section.states.includes(app.state)) ? app.at : "diary";
  for (const section of SECTIONS) {
    const here = mounted.get(section);
    // What has come stays, though the reason for it has gone: it says what became of it.
    const wanted = section.states.includes(app.state) && (section.at ?? at) === at && (here?.hypha === app.hypha && here || section.when?.(app) !== false);
    if (here && (!wanted || here.hypha !== app.hypha)) {
      here.view.close?.();
      here.view.node.remove();
      mounted.delete(section);
    }
    if (wanted && !mounted.has(section)) {
      const view = section.view(app);
      mounted.set(section, { view, hypha: app.hypha });
      document.getElementById(section.slot).insertBefore(view.node, following(section));
      fresh.push(view);
    }
  }
  showState(last);
  guard(app.hypha);
  for (const { view } of [...mounted.values()]) {
    try {
      view.update?.(why);
    } catch (error) {
      toastProblem(error); // One section in trouble must not take the others with it.
    }
  }
  // A control that went away takes the focus with it: hand it to what came instead.
  if (focus && focus !== document.body && !focus.isConnected) {
    const there = fresh.find(({ node }) => !node.hidden)?.node.querySelector("[tabindex='-1']");
    expecting = !there;
    (there ?? document.getElementById("content")).focus({ preventScroll: why === "tick" });
  }
}

// The element that a section goes before: the next one of the same slot that is on screen.
function following(section) {
  const later = SECTIONS.slice(SECTIONS.indexOf(section) + 1).filter(({ slot }) => slot === section.slot);
  return later.map((next) => mounted.get(next)?.view.node).find(Boolean) ?? null;
}

function showState(last) {
  const { state } = app;
  const line = document.querySelector(".state");
  line.dataset.state = state;
  const memory = app.choice.storage === "memory" && app.hypha ? " · nothing is kept when you close this tab" : "";
  setText(line, (STATES[state] ?? state) + memory);
  document.body.dataset.state = state;
  document.body.dataset.screen = READING.includes(state) ? "book" : state === "uninitialised" ? "setup" : "note";
  if (last === "requesting" && state === "writer") toast(LET_IN);
  if (last === "writer" && state !== "writer") document.querySelector(`.toast[data-text="${LET_IN}"]`)?.remove();
}

/** Round trips and "5 minutes ago" grow old without any event. */
setInterval(() => !document.hidden && app.hypha && update("tick"), 5000);

addEventListener("unhandledrejection", (event) => toastProblem(event.reason));
setText(document.getElementById("domain"), domain);
open();
// While the node is loading: the first screen, which is all that a newcomer will see.
if (isNewcomer()) import("./views/begin.js").catch(() => {});
