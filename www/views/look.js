// "Look at these devices": let in by one that was removed since, or by the passphrase alone. Worked out from the
// list of devices each time, so that every device asks, also after a reload; what was answered is remembered here.

import { announce, button, h, heading } from "../lib/dom.js";
import { named, orphans, quoted, unknown } from "../lib/devices.js";
import { ROOTED } from "../lib/looks.js";
import { recall, remember } from "../lib/settings.js";
import { relative } from "../lib/time.js";
import { remove } from "./remove.js";

const KEPT = "devices-kept";
const read = (name) => JSON.parse(recall(name) ?? "[]");
const add = (name, key) => remember(name, JSON.stringify([...read(name), key]));

export function look(app) {
  const node = h("section", { class: "looks", "aria-label": "Devices to look at", hidden: true });
  let shown = "";

  function update() {
    const writers = app.hypha.home?.writers() ?? [];
    // Those that are here at first are no news.
    if (recall(ROOTED) === undefined) remember(ROOTED, JSON.stringify(unknown(writers, []).map(({ key }) => key)));
    const asked = [...unknown(writers, read(ROOTED)).map((writer) => ({ writer })), ...orphans(writers, read(KEPT))];
    const look = JSON.stringify(asked.map(({ writer, by }) => [writer.key, named(writer), by && quoted(by)]));
    if (look === shown) return;
    shown = look;
    const focused = node.contains(document.activeElement);
    node.replaceChildren(...asked.map((one) => card(app, one)));
    node.hidden = asked.length === 0;
    if (focused) (node.querySelector("h2") ?? document.getElementById("content")).focus();
    if (asked.length > 0) announce(node.querySelector("h2").textContent);
  }
  return { node, update };
}

function card(app, { writer, by }) {
  const { key, lastTime } = writer;
  const name = quoted([writer]);
  const keep = () => {
    add(by ? KEPT : ROOTED, key);
    app.update("look");
  };
  const wrote = lastTime ? ` It last wrote ${relative(lastTime)}.` : "";
  return h("article", { class: "card warn", test: "look", "data-writer": key },
    heading(2, by ? `Look at ${name}` : `${name} was let in by the passphrase alone`),
    h("p", {}, by ? `It was let in by ${quoted(by)}, which ${by.length > 1 ? "are" : "is"} removed now.${wrote} Keep it if it is yours; if you do not know it, remove it too.`
      : `Somebody with your passphrase started again there; none of your devices was asked.${wrote} If that was not you, remove it and change the passphrase.`),
    h("div", { class: "actions" }, button(by ? "Keep it" : "It was me", keep, { test: "look-keep" }),
      button("Remove it…", () => remove(app, writer), { test: "look-remove", class: "danger" }),
      !by && h("a", { href: "#passphrase" }, "Change the passphrase")));
}
