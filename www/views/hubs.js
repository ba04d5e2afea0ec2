// The list of hubs: add one, remove one. The choice is kept in this browser.

import { button, h, setText } from "../lib/dom.js";
import { part } from "../lib/later.js";
import { attempt, problemPlace, showProblem } from "../lib/problems.js";
import { chooseHubs } from "../lib/settings.js";

const STATES = { open: "connected", connecting: "connecting…", waiting: "trying again soon", refused: "refused us", garbage: "not a hub, it seems" };

export function hubs(app) {
  const list = h("ul", { class: "rows", test: "hubs", role: "list", "data-count": "0" });
  const place = problemPlace();
  const more = h("details", { ontoggle: offer }, h("summary", {}, "Add a hub"));
  const node = h("div", {}, h("h3", {}, "Hubs"),
    h("p", { class: "hint" }, "A hub is a meeting place where two browsers find each other. It cannot read what they say; it can see that they meet, and from where."),
    list, place, more);
  let shown = "";

  function offer() {
    if (more.open && more.childElementCount === 1) part(() => import("./add-hub.js")).then(({ addHub }) => more.childElementCount === 1 && more.append(addHub(app, keep)), (error) => showProblem(place, error));
  }

  async function remove(gone) {
    await app.hypha.removeHub(gone);
    const { hubs } = await app.hypha.stats();
    keep(hubs.map(({ url }) => url).filter((other) => other !== gone));
  }

  function keep(wanted) {
    app.hubs = wanted;
    chooseHubs(wanted);
    app.update("hub");
  }

  /** Shows `{ url, state, error? }` for each hub. */
  function show(known) {
    list.dataset.count = `${known.length}`;
    const look = JSON.stringify(known.map((hub) => hub.url));
    if (look !== shown) {
      shown = look;
      // Whoever was on one of them stays near.
      const at = [...list.children].findIndex((item) => item.contains(document.activeElement));
      list.replaceChildren(...known.map(row));
      if (at >= 0) (list.children[Math.min(at, known.length - 1)]?.querySelector("button") ?? more.firstElementChild).focus();
    }
    known.forEach((hub, i) => {
      const item = list.children[i];
      item.dataset.state = hub.state;
      const why = hub.error?.message ?? hub.error;
      setText(item.querySelector(".hint"), [STATES[hub.state] ?? hub.state, why].filter(Boolean).join(": "));
    });
  }

  const row = (hub) => h("li", { "data-url": hub.url }, h("div", {}, h("span", { class: "url", translate: "no" }, hub.url), h("p", { class: "hint" })),
    button("Remove", (event) => attempt(event.currentTarget, place, () => remove(hub.url)), { class: "quiet", "aria-label": `Remove the hub ${hub.url}` }));

  return { node, show };
}
