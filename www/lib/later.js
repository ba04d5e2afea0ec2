// Parts of the page that come when they are first shown: most visits need few of them. What cannot be fetched says so
// where it would stand, with what to do; nothing else stops.

import { button, h, heading } from "./dom.js";

/** Fetches a part: `load` is `() => import(…)`. Rejects with code OFFLINE. */
export async function part(load) {
  try {
    return await load();
  } catch (cause) {
    throw Object.assign(new Error("A part of this page could not be fetched. Check that you are online, then try again; if that does not help, reload the page.", { cause }), { code: "OFFLINE" });
  }
}

let sheet;
/** The look of what comes later, as seen from the page. Without it, it is plain, and works. */
function styles() {
  sheet ??= new Promise((done) => document.head.append(h("link", { rel: "stylesheet", href: "css/later.css", onload: done, onerror: done })));
  return sheet;
}

/** As `part`, with the look of what is not there at first. */
export const dressed = async (load) => (await Promise.all([part(load), styles()]))[0];

/** The view `name` of a module, which is fetched when it is mounted. Until it is there, nothing is in its place. */
export const later = (load, name, fetched = dressed) => (app) => {
  let node = h("div", { hidden: true });
  let view;
  let closed = false;
  const replace = (next) => {
    node.replaceWith(next);
    node = next;
  };

  async function fetchIt() {
    let found;
    try {
      found = (await fetched(load))[name];
    } catch {
      if (!closed) replace(missing(fetchIt));
      return;
    }
    if (closed) return;
    view = found(app);
    replace(view.node);
    view.update?.("state");
    app.arrived(view.node);
  }
  fetchIt();
  return {
    get node() {
      return node;
    },
    update: (why) => view?.update?.(why),
    close() {
      closed = true;
      view?.close?.();
    },
  };
};

/** A card that is opened by hand, as long as `waits(app)`; then it is that view. */
export const folded = ({ title, text, label, test, waits }, load, name) => (app) => {
  let view;
  let asked = false;
  const open = () => {
    const before = view.node;
    view = later(load, name)(app);
    before.replaceWith(view.node);
  };
  if (!waits(app)) return later(load, name)(app);
  view = { node: h("section", { class: "card" }, heading(2, title), h("p", {}, text), h("div", { class: "actions" }, button(label, () => {
    asked = true;
    app.update("tick"); // It takes the focus to what comes.
  }, { test }))) };
  return {
    get node() {
      return view.node;
    },
    update(why) {
      if (!view.update && (asked || !waits(app))) open();
      view.update?.(why);
    },
    close: () => view.close?.(),
  };
};

const missing = (again) => h("section", { class: "card warn", test: "part-missing" }, heading(2, "A part of this page is missing"),
  h("p", { role: "alert" }, "It could not be fetched. What you wrote is kept, and the rest of the page goes on. Check that you are online and try again; if that does not help, the page was renewed on its server meanwhile, and needs to be loaded anew."),
  h("div", { class: "actions" }, button("Try again", again, { test: "part-again" }), button("Reload the page", () => location.reload())));
