// Replicas: browsers that run all the time and keep a copy without being able to read what is private. This card lists
// those that the person relies on, adds one by its link, and the line in "Connections" says how safe everything is.

import { button, field, h, setText } from "../lib/dom.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { guard } from "../lib/leaving.js";

const short = (key) => `${key.slice(0, 8)}…`;

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
    guard(app.hypha.home);
  }

  function rowOf({ key, label }) {
    const name = label || short(key);
    const line = h("p", { class: "hint" });
    const wrong = problemPlace();
    const drop = button("Stop relying on it", () => attempt(drop, wrong, async () => {
      await app.hypha.home.unpinReplica(key);
      app.update("safety");
    }), { test: "unpin-replica", class: "quiet small", "aria-label": `Stop relying on it: ${name}` });
    const node = h("li", { test: "replica-item", "data-replica": key },
      h("p", { class: "device" }, name, label && h("span", { class: "badge" }, short(key))), line, wrong, h("div", { class: "acts" }, drop));
    return { node, line, look: label };
  }
  return { node, update };
}

function says({ length, expires, connected, full }) {
  if (full) return "It has no more room for this diary.";
  const here = connected ? "Connected" : "Not here now";
  if (length === undefined) return `${here} · it has not shown yet that it keeps anything of this device`;
  return `${here} · keeps ${length} entries of this device, promised until ${expires.toLocaleDateString()}`;
}

/** How safe what this device wrote is, in one sentence; "" where that says nothing. */
export function safetyLine(home) {
  if (!home?.writable) return "";
  const { replicas, devices, unreplicated, pinned, others } = home.safety();
  if (pinned === 0 && others === 0) return "";
  const parts = [
    pinned > 0 && `on ${replicas} ${replicas === 1 ? "replica" : "replicas"}`,
    others > 0 && `on ${devices} other ${devices === 1 ? "device" : "devices"}`,
  ].filter(Boolean);
  const rest = unreplicated > 0 ? ` ${unreplicated} ${unreplicated === 1 ? "entry is" : "entries are"} in this browser alone so far.` : "";
  return `Safe ${parts.join(" and ")}.${rest}`;
}
