// The person's devices, and what one does with them: remove one, lock this one, sign out.

import { button, h, heading, passphraseField, setText } from "../lib/dom.js";
import { ask } from "../lib/dialog.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { moment, relative } from "../lib/time.js";

const ROLES = { admin: "may write, and let others in", writer: "may write" };
const STATES = { active: "", counted: "", granted: "", pending: "being confirmed", cut: "removed", removed: "removed", revoked: "removed",
  provisional: "removed, for now" };

/** Key of this device among the writers, if it is one. */
export function ownKey(app) {
  try {
    return app.hypha?.home?.writers().find(({ self }) => self)?.key;
  } catch {
    return undefined; // Nothing is known of the writers yet.
  }
}

export function devices(app) {
  const list = h("ul", { class: "devices", test: "devices", role: "list" });
  const place = problemPlace();
  const lock = button("Lock", () => attempt(lock, place, async () => {
    await app.hypha.lock();
    app.update();
  }), { test: "lock" });
  const out = button("Sign out", () => forget(app), { test: "forget", class: "quiet" });
  const node = h("section", { class: "card" }, heading(2, "Your devices"), list,
    h("p", { class: "hint" }, "Locking asks for the passphrase before anyone writes here again."), place,
    h("div", { class: "actions" }, lock, out));
  let shown = "";

  function update() {
    const writers = app.hypha.home?.writers() ?? [];
    const look = JSON.stringify(writers.map((writer) => [writer.key, writer.device, writer.role, writer.state, writer.self, last(app, writer)]));
    if (look === shown) return;
    shown = look;
    // The rows are made anew; whoever was on a button of one stays on it.
    const focused = document.activeElement?.closest?.("[data-writer]")?.dataset.writer;
    list.replaceChildren(...writers.map((writer) => deviceItem(app, writer)));
    if (focused) list.querySelector(`[data-writer="${CSS.escape(focused)}"] button`)?.focus();
  }
  return { node, update };
}

function last(app, { key, length }) {
  const time = app.lastPosts.get(key);
  if (time) return `last post ${relative(time)}`;
  return length > 0 ? "nothing posted lately" : "has not written yet";
}

function deviceItem(app, writer) {
  const { key, device, role, self, state } = writer;
  const told = STATES[state] ?? state;
  const removed = told?.startsWith("removed");
  return h("li", { class: removed ? "gone" : "", test: "device-item", "data-writer": key, "data-state": state },
    h("div", {}, h("p", { class: "device" }, device || "A device without a name", self && h("span", { class: "badge" }, "this device"), told && h("span", { class: "badge warn" }, told)),
      h("p", { class: "hint" }, [ROLES[role] ?? role, last(app, writer)].filter(Boolean).join(" · "))),
    !self && !removed && button("Remove", () => remove(app, writer), { test: "remove-device", class: "quiet", "aria-label": `Remove ${device ?? "this device"}` }));
}

function remove(app, { key, device, length }) {
  const name = device || "this device";
  const time = app.lastPosts.get(key);
  const passphrase = passphraseField({ label: "Passphrase", hint: "Needed to remove it for good.", test: "remove-passphrase" });
  const cut = async (options) => {
    await app.hypha.home.cut(key, options);
    app.toast(`${name} was removed.`);
    app.update();
  };
  ask({
    title: `Remove ${name}?`,
    body: [
      h("p", {}, time ? `It last posted ${relative(time)} (${moment(time)}).` : length > 0 ? "None of the newest posts is from it." : "It has not written anything yet."),
      h("p", {}, "It can no longer write here or let other devices in, and it reads nothing private that you write from now on. What it has already read, it may have kept."),
      passphrase.node,
      h("p", { class: "hint" }, "Without the passphrase it is removed for now: that holds until your devices disagree about it, for instance because it removed this one at the same time."),
    ],
    choices: [
      { label: "Remove for good", test: "remove-confirm", danger: true, act: () => {
        if (passphrase.input.value.trim()) return cut({ passphrase: passphrase.input.value });
        passphrase.complain("Type your passphrase, or remove it for now.");
        passphrase.input.focus();
        return false;
      } },
      { label: "Remove for now", test: "remove-provisional", act: () => cut({}) },
    ],
  });
}

function forget(app) {
  const stays = h("p", {});
  setText(stays, "The keys are wiped from this browser and it stops being one of your devices. What is public stays readable here. To write here again you need your passphrase and one of your other devices.");
  ask({
    title: "Sign out of this device?",
    body: [stays, h("p", {}, "If this is your only device, be sure that you have the paper with your words.")],
    choices: [{ label: "Sign out", test: "forget-confirm", danger: true, act: async () => {
      await app.hypha.forget();
      app.update();
    } }],
  });
}
