// The list of hubs: add one, remove one. The choice is kept in this browser.

import { button, field, h, setText } from "../lib/dom.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { chooseHubs, hubProblem } from "../lib/settings.js";

const STATES = { open: "connected", connecting: "connecting…", waiting: "trying again soon", refused: "refused us", garbage: "not a hub, it seems" };

export function hubs(app) {
  const list = h("ul", { class: "rows", test: "hubs", role: "list", "data-count": "0" });
  const url = field({ label: "Add a hub", hint: "Its address starts with wss://.", input: h("input", { type: "url", test: "hub-url", placeholder: "wss://", autocomplete: "off", spellcheck: "false" }) });
  const submit = h("button", { type: "submit", test: "hub-add" }, "Add");
  const place = problemPlace();
  const form = h("form", { novalidate: true, onsubmit }, url.node, place, h("div", { class: "actions" }, submit));
  const node = h("div", {}, h("h3", {}, "Hubs"),
    h("p", { class: "hint" }, "A hub is a meeting place where two browsers find each other. It cannot read what they say; it can see that they meet, and from where."),
    list, h("details", {}, h("summary", {}, "Add a hub"), form));
  let shown = "";

  function onsubmit(event) {
    event.preventDefault();
    const text = url.input.value.trim();
    const wrong = hubProblem(text, app.hubs);
    if (wrong) {
      url.complain(wrong);
      return url.input.focus();
    }
    return attempt(submit, place, async () => {
      await app.hypha.addHub(text);
      keep([...app.hubs, text]);
      url.input.value = "";
    });
  }

  async function remove(gone) {
    await app.hypha.removeHub(gone);
    keep(app.hubs.filter((other) => other !== gone));
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
      list.replaceChildren(...known.map(row));
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
