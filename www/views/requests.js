// Devices that ask to be let in, one at a time. The one on screen is never replaced by another: not when a new
// one arrives, and not when it expires or is answered elsewhere (a button may be under the finger just then).
//
// The three sets of words make the person compare the two screens. Picking a wrong set refuses the approval;
// after two wrong picks only one set would be left, which proves nothing, so the request must then be denied.

import { announce, button, h, heading, setText, tick } from "../lib/dom.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { moment, relative } from "../lib/time.js";

const WRONG_PICKS = 2;
const wrong = new Map(); // request id -> sets picked in vain, as text

export function requests(app) {
  const node = h("section", { class: "requests", "aria-label": "Devices that ask to be let in", hidden: true });
  const outcome = h("p", { class: "outcome", role: "status", tabIndex: -1, hidden: true });
  const queue = h("p", { class: "hint" });
  node.append(outcome, queue);
  let card; // of the request on screen: { id, node, gone, tick }
  let busy = false;

  function update(why) {
    if (why === "place") outcome.hidden = true; // It has been read by then.
    const list = app.hypha.requests();
    if (card && !busy && !list.some(({ id }) => id === card.id)) card.gone(() => next(""));
    if (!card && list.length > 0) show(list[0]);
    card?.tick();
    const others = list.filter(({ id }) => id !== card?.id);
    setText(queue, others.length > 0 ? `Waiting after this one: ${others.map(({ device }) => short(device)).join(", ")}` : "");
    node.hidden = !card && outcome.hidden;
    document.title = list.length > 0 ? `(${list.length}) Hypha` : "Hypha";
  }

  function show(request) {
    card = requestCard(request, async (work, said) => {
      busy = true;
      try {
        await work();
      } finally {
        busy = false;
      }
      next(said);
    });
    node.insertBefore(card.node, queue);
    node.hidden = false;
    announce(`${short(request.device)} asks to be let in.`);
    const { top, bottom } = node.getBoundingClientRect();
    if (bottom < 0 || top > innerHeight) {
      const there = card.node;
      app.toast(`${short(request.device)} asks to be let in.`, { label: "Look", act: () => there.querySelector("h2")?.focus() });
    }
  }

  function next(said) {
    const focused = card?.node.contains(document.activeElement);
    card?.node.remove();
    card = undefined;
    setText(outcome, said);
    outcome.hidden = !said;
    update();
    if (focused) (card?.node.querySelector("h2") ?? (said ? outcome : document.getElementById("content"))).focus();
  }

  return { node, update, close: () => (document.title = "Hypha") };
}

const short = (text) => (text.length > 80 ? `${text.slice(0, 80)}…` : text);

function requestCard(request, answer) {
  const { id, device, words } = request;
  const place = problemPlace();
  const when = h("span", {});
  let chosen;
  const sets = request.choices.map((set) => button(set.join(" "), (event) => {
    chosen = set;
    for (const other of sets) other.setAttribute("aria-pressed", String(other === event.currentTarget));
    place.replaceChildren();
    refresh();
  }, { test: "request-words", class: "four-words", "aria-pressed": "false", translate: "no" }));
  const block = tick({ label: "Block this device", hint: "None of your devices hears this request again.", test: "block" });
  const approve = button("Let it in", () => attempt(approve, place, async () => {
    if (chosen.join(" ") !== words.join(" ")) return refuse();
    await answer(() => request.approve(), `${short(device)} was let in.`);
  }), { test: "approve", class: "main", disabled: true });
  const deny = button("Do not let it in", (event) => {
    // The second half of a double click on the request before this one is not meant for it.
    if (event.detail > 1) return;
    attempt(deny, place, () => answer(() => request.deny({ block: block.input.checked }), `${short(device)} was not let in${block.input.checked ? ", and is blocked" : ""}.`));
  }, { test: "deny" });
  const controls = h("div", {},
    request.suspect && h("p", { class: "problem" }, "A device that you removed still knows how to ask. Let this one in only if you have it in your hands."),
    h("p", {}, "Which words does the new device show? If it shows none of these, or if it is not with you, do not let it in."),
    h("div", { class: "sets", role: "group", "aria-label": "Words" }, sets), place, block.node,
    h("div", { class: "actions" }, approve, deny));
  const node = h("article", { class: "card ask", test: "request", "data-request": id },
    heading(2, `${short(device)} asks to be let in`), h("p", { class: "hint" }, when), controls);
  refresh();

  function refresh() {
    const picks = wrong.get(id) ?? [];
    for (const set of sets) set.disabled = picks.length >= WRONG_PICKS;
    approve.disabled = !chosen || picks.length >= WRONG_PICKS;
  }

  function refuse() {
    const picks = new Set(wrong.get(id)).add(chosen.join(" "));
    wrong.set(id, [...picks]);
    chosen = undefined;
    for (const set of sets) set.setAttribute("aria-pressed", "false");
    refresh();
    place.replaceChildren(picks.size < WRONG_PICKS
      ? "Not let in: these are not the words of the device that asks. Look at its screen and pick the words it shows. If it shows others, somebody else is asking: do not let it in."
      : "Not let in: these were not its words either. Do not let it in; on the new device, stop asking and sign in again.");
  }

  return {
    id,
    node,
    tick: () => setText(when, `Asked at ${moment(request.time)}${node.dataset.gone ? "" : `, runs out ${relative(request.expires)}`}`),
    gone(proceed) {
      if (node.dataset.gone) return;
      node.dataset.gone = "yes";
      delete node.dataset.testid;
      controls.replaceChildren(h("p", {}, "This request has run out, was taken back, was answered on another device, or was made with a passphrase that is no longer yours."),
        h("div", { class: "actions" }, button("All right", proceed, { test: "request-over" })));
    },
  };
}
