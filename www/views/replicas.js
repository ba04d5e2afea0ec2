// Replicas: browsers that run all the time and keep a copy without being able to read what is private. This card lists
// those that the person relies on, and adds one by its link.

import { button, field, h, setText } from "../lib/dom.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { says, shortKey } from "../lib/safety.js";

export function replicas(app) {
  const list = h("ul", { class: "devices", role: "list", test: "replicas" });
  const link = field({
    label: "Its link", hint: "The page replica.html shows it on the machine that is to keep a copy. It begins with hypha-replica://.",
    input: h("input", { type: "text", test: "pin-replica-link", autocomplete: "off", spellcheck: "false", placeholder: "hypha-replica://" }),
  });
  const label = field({ label: "What you call it", hint: "Anyone with your link can read this name.",
    input: h("input", { type: "text", test: "pin-replica-label", maxlength: "40", autocomplete: "off" }) });
  const place = problemPlace();
  const submit = h("button", { type: "submit", test: "pin-replica" }, "Rely on it");
  const form = h("form", { novalidate: true, onsubmit }, link.node, label.node, place, h("div", { class: "actions" }, submit));
  const node = h("div", {}, h("h3", {}, "Replicas"),
    h("p", { class: "hint" }, "A replica is a browser that is always on. It keeps a copy of what you write and hands it on; what is private stays closed to it."),
    list, h("details", {}, h("summary", { test: "add-replica" }, "Rely on a replica"), form));
  const rows = new Map(); // key -> { node, line, look }

  function onsubmit(event) {
    event.preventDefault();
    return attempt(submit, place, async () => {
      await app.hypha.home.pinReplica(link.input.value.trim(), { label: label.input.value.trim() });
      link.input.value = label.input.value = "";
      app.update("safety");
    });
  }

  function update() {
    const pinned = app.hypha.home?.replicas() ?? [];
    for (const [key, row] of rows) {
      if (pinned.some((replica) => replica.key === key && replica.label === row.look)) continue;
      row.node.remove();
      rows.delete(key);
    }
    for (const replica of pinned) {
      if (!rows.has(replica.key)) rows.set(replica.key, rowOf(replica));
      const { node, line } = rows.get(replica.key);
      setText(line, says(replica));
      if (!node.isConnected) list.append(node);
    }
    list.hidden = pinned.length === 0;
  }

  function rowOf({ key, label }) {
    const name = label || shortKey(key);
    const line = h("p", { class: "hint" });
    const wrong = problemPlace();
    const drop = button("Stop relying on it", () => attempt(drop, wrong, async () => {
      await app.hypha.home.unpinReplica(key);
      app.update("safety");
    }), { test: "unpin-replica", class: "quiet small", "aria-label": `Stop relying on it: ${name}` });
    const node = h("li", { test: "replica-item", "data-replica": key },
      h("p", { class: "device" }, name, label && h("span", { class: "badge" }, shortKey(key))), line, wrong, h("div", { class: "acts" }, drop));
    return { node, line, look: label };
  }
  return { node, update };
}
