// The person's devices, and what one does with them: remove one, hide what it wrote, change the passphrase, lock
// this one, sign out.

import { button, h, heading, setText } from "../lib/dom.js";
import { freshness, inOrder, isOut, named, origin, standing } from "../lib/devices.js";
import { ask } from "../lib/dialog.js";
import { forgetLooks } from "../lib/looks.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { hide, remove } from "./remove.js";
import { replicas } from "./replicas.js";
import { clearNews } from "./toast.js";

const FEW = 3; // removed devices that are listed with the others; more of them fold away

export function devices(app) {
  const list = h("ul", { class: "devices", test: "devices", role: "list" });
  const gone = h("ul", { class: "devices", role: "list" });
  const count = h("summary", {});
  const past = h("details", { hidden: true }, count, gone);
  const taken = h("a", { href: "#taken-away", test: "taken-away", hidden: true }, "What was taken away");
  const place = problemPlace();
  const lock = button("Lock", () => attempt(lock, place, async () => {
    await app.hypha.lock();
    app.update();
  }), { test: "lock" });
  const kept = replicas(app);
  const node = h("section", { class: "card" }, heading(2, "Your devices"), list, past, place,
    h("p", { class: "links" }, taken, h("a", { href: "#passphrase", test: "change-passphrase" }, "Change the passphrase")),
    h("p", { class: "hint" }, "Locking asks for the passphrase before anyone writes here again."),
    h("div", { class: "actions" }, lock, button("Sign out", () => forget(app), { test: "forget", class: "quiet" })),
    kept.node);
  const rows = new Map(); // key -> { node, look, line }

  function update(why) {
    kept.update();
    const writers = inOrder(app.hypha.home?.writers() ?? []);
    const out = writers.filter(isOut);
    const folded = out.length > FEW ? out : [];
    for (const [key, row] of rows) {
      if (writers.some((writer) => writer.key === key)) continue;
      row.node.remove();
      rows.delete(key);
    }
    arrange(list, writers.filter((writer) => !folded.includes(writer)), writers);
    arrange(gone, folded, writers);
    past.hidden = folded.length === 0;
    setText(count, `${folded.length} removed devices`);
    if (!["tick", "peer", "hub"].includes(why)) lookForTaken();
  }

  // Brings a list in line. A row is made anew only if more than its times changed; whoever was on a button stays there.
  function arrange(parent, wanted, writers) {
    wanted.forEach((writer, at) => {
      const look = JSON.stringify([named(writer), standing(writer), origin(writer, writers)]);
      let row = rows.get(writer.key);
      if (row?.look !== look) {
        const focused = row?.node.contains(document.activeElement) && document.activeElement.dataset.testid;
        const fresh = { look, ...deviceRow(app, writer, writers) };
        row?.node.replaceWith(fresh.node);
        rows.set(writer.key, (row = fresh));
        if (focused) (row.node.querySelector(`[data-testid="${focused}"]`) ?? row.node.querySelector("button"))?.focus();
      }
      setText(row.line, freshness(writer));
      if (parent.children[at] !== row.node) parent.insertBefore(row.node, parent.children[at] ?? null);
    });
  }

  async function lookForTaken() {
    try {
      for await (const { version } of app.hypha.home?.quarantine() ?? []) {
        taken.hidden = !version;
        return;
      }
      taken.hidden = true;
    } catch {
      // The node is closing, or says so elsewhere; what is on screen stays.
    }
  }
  return { node, update };
}

function deviceRow(app, writer, writers) {
  const { key, self, state, hiddenFrom } = writer;
  const name = named(writer);
  const out = isOut(writer);
  const line = h("p", { class: "hint" });
  const act = (label, props, run) => button(label, run, { ...props, class: "quiet small", "aria-label": `${label}: ${name}` });
  // The row keeps the writer that it was made for; what the questions need is read anew.
  const now = () => app.hypha.home.writers().find((other) => other.key === key) ?? writer;
  const actions = self ? [] : [
    state !== "removed" && act(["cut", "forked"].includes(state) ? "Remove for good" : "Remove", { test: "remove-device" }, () => remove(app, now())),
    hiddenFrom === undefined ? act("Hide what it wrote", { test: "hide-device" }, () => hide(app, now()))
      : act("Show what it wrote again", { test: "unhide" }, async (event) => attempt(event.currentTarget, problem, async () => {
        await app.hypha.home.hide(key, { undo: true });
        clearNews();
        app.update("writers");
      })),
  ];
  const problem = problemPlace();
  const node = h("li", { class: out ? "gone" : "", test: "device-item", "data-writer": key, "data-state": state },
    h("p", { class: "device" }, name, self && h("span", { class: "badge" }, "this device"),
      state !== "active" && h("span", { class: "badge warn" }, standing(writer))),
    h("p", { class: "hint" }, [state === "active" && standing(writer), origin(writer, writers)].filter(Boolean).join(" · ")), line,
    state === "cut" && h("p", { class: "hint" }, "A mistake? Sign in again on that device and let it back in from here."),
    problem, actions.length > 0 && h("div", { class: "acts" }, actions));
  return { node, line };
}

function forget(app) {
  ask({
    title: "Sign out of this device?",
    body: [h("p", {}, "The keys are wiped from this browser and it stops being one of your devices. What is public stays readable here. To write here again you need your passphrase and one of your other devices."),
      h("p", {}, "If this is your only device, be sure that you have the paper with your words.")],
    choices: [{ label: "Sign out", test: "forget-confirm", danger: true, act: async () => {
      await app.hypha.forget();
      forgetLooks();
      app.update();
    } }],
  });
}
