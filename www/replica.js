// The page of a replica: it starts by itself, keeps its key and its list, and comes back as the same after a restart.
//
//   replica.html#hold=hypha://…            holds that space; more than one: &hold=…
//   replica.html#hypha://…                 the same, shorter
//   …&quota=500MB&each=100MB               of all spaces together, and of each
//   replica.html?hub=wss://…&name=…        hubs to meet at, and another database than "hypha-replica"

import { button, copy, field, h, heading, setText } from "./lib/dom.js";
import { attempt, problemPlace, showProblem } from "./lib/problems.js";
import { bytesOf, sizeOf } from "./lib/sizes.js";
import { currentHubs, settings } from "./lib/settings.js";

const page = document.getElementById("page");
const state = document.querySelector(".state");
const wanted = wishes(location.hash.slice(1));
let hypha;
let memory = 0; // of WebAssembly, in bytes

/** What the address asks for: `{ links, quota, each }`. */
function wishes(hash) {
  if (/^(hypha|dat):/.test(hash)) return { links: [decodeURIComponent(hash)] };
  const query = new URLSearchParams(hash);
  return { links: query.getAll("hold"), quota: bytesOf(query.get("quota")), each: bytesOf(query.get("each")) };
}

// ── what is on screen ──

const link = h("p", { class: "url", test: "replica-link", translate: "no" });
const key = h("p", { class: "url hint", test: "replica-key", translate: "no" });
const copying = button("Copy the link", () => copy(link.textContent, copying, link));
const figures = h("dl", { class: "figures" });
const list = h("ul", { class: "rows held", role: "list", test: "held" });
const nothing = h("p", { class: "empty" }, "It holds nothing yet. Add a space by its link.");
const troubles = problemPlace();
const address = field({ label: "Link of the space", hint: "It begins with hypha:// and is no secret: who has it can read what is public.",
  input: h("input", { type: "text", test: "hold-link", autocomplete: "off", spellcheck: "false", placeholder: "hypha://" }) });
const room = field({ label: "Room for it", hint: "Such as 200 MB. Left empty, it may take what the browser has.",
  input: h("input", { type: "text", test: "hold-quota", autocomplete: "off", placeholder: "no limit" }) });
const place = problemPlace();
const submit = h("button", { type: "submit", class: "main", test: "hold-submit" }, "Keep a copy");
const form = h("form", { novalidate: true, onsubmit }, address.node, room.node, place, h("div", { class: "actions" }, submit));
page.append(
  h("section", { class: "card" }, heading(1, "This browser keeps copies"),
    h("p", {}, "Leave this page open. It stores spaces, hands them on and passes sealed messages, and can read only what is public. Nobody but this page decides what it holds."),
    h("h2", {}, "Its link"), h("p", { class: "hint" }, "Give it to whoever wants to rely on this replica: they paste it under their devices."),
    link, key, h("div", { class: "actions" }, copying)),
  troubles,
  h("section", { class: "card" }, heading(2, "What it holds"), figures, nothing, list),
  h("section", { class: "card" }, heading(2, "Hold another space"), form));

const rows = new Map(); // space key -> { node, … }

function rowOf(space) {
  const name = h("p", { class: "device" });
  const where = h("p", { class: "url", translate: "no" }, `hypha://${space}`);
  const bar = h("meter", { min: "0", hidden: true });
  const line = h("p", { class: "hint", test: "held-bytes" });
  const wrong = problemPlace();
  const drop = button("Let it go", () => attempt(drop, wrong, async () => {
    if (!confirm("Delete the copy of this space from this browser?")) return;
    await hypha.spaces().find((one) => one.key === space)?.leave();
    show();
  }), { class: "quiet small", test: "let-go" });
  const node = h("li", { test: "held-item", "data-space": space }, name, where, bar, line, wrong, drop);
  return { node, name, bar, line, drop };
}

function show() {
  const { replica } = hypha;
  const peers = hypha.peers().filter((peer) => peer.state === "open");
  setText(link, replica.link);
  setText(key, `Key ${replica.key}`);
  state.dataset.state = hypha.state;
  setText(state, `Keeping ${replica.spaces.length} ${replica.spaces.length === 1 ? "space" : "spaces"}, connected to ${peers.length}`);
  state.dataset.peers = `${peers.length}`;
  const open = hypha.spaces();
  const facts = [["Held", sizeOf(replica.used)], ["Room", replica.quota === undefined ? "no limit" : sizeOf(replica.quota)], ["Connected", `${peers.length}`]];
  if (figures.childElementCount === 0) figures.append(...facts.map(([what]) => h("div", {}, h("dt", {}, what), h("dd"))));
  facts.forEach(([, value], at) => setText(figures.children[at].lastElementChild, value));
  for (const [space, { node }] of rows) {
    if (replica.spaces.some((held) => held.key === space)) continue;
    node.remove();
    rows.delete(space);
  }
  for (const held of replica.spaces) {
    if (!rows.has(held.key)) {
      rows.set(held.key, rowOf(held.key));
      list.append(rows.get(held.key).node);
    }
    const { name, bar, line, drop } = rows.get(held.key);
    const title = open.find((space) => space.key === held.key)?.title ?? "A space";
    const near = peers.filter((peer) => peer.spaces.includes(held.key)).length;
    setText(name, title);
    drop.setAttribute("aria-label", `Let it go: ${title}`);
    bar.hidden = held.quota === undefined;
    if (!bar.hidden) Object.assign(bar, { max: held.quota || 1, value: held.bytes, high: held.quota * 0.8, optimum: 0 });
    bar.setAttribute("aria-label", `Room used by ${title}`);
    const limit = held.quota === undefined ? "" : ` of ${sizeOf(held.quota)}`;
    setText(line, `${sizeOf(held.bytes)}${limit} · ${near} connected${held.full ? " · full: there is more than it may hold" : ""}`);
    line.dataset.bytes = `${held.bytes}`;
  }
  nothing.hidden = replica.spaces.length > 0;
}

function onsubmit(event) {
  event.preventDefault();
  return attempt(submit, place, async () => {
    const quota = bytesOf(room.input.value);
    if (room.input.value.trim() && quota === undefined) {
      room.complain("Write a size such as 200 MB, or nothing.");
      return false;
    }
    await hypha.hold(address.input.value.trim(), { quota });
    address.input.value = room.input.value = "";
    show();
  });
}

// ── the node ──

async function start() {
  const { Hypha } = await import("./pkg/index.js");
  // Weeks of copies should not be what a browser deletes first.
  navigator.storage?.persist?.().catch(() => {});
  hypha = await Hypha.open({
    role: "replica", name: settings.name ?? "hypha-replica", domain: settings.domain, hubs: await currentHubs(),
    quota: wanted.quota, spaceQuota: wanted.each, maxPeers: 32,
  });
  for (const name of ["peer", "hub", "spaces", "writers", "full", "statechange"]) hypha.addEventListener(name, later);
  hypha.addEventListener("storage", ({ detail }) => detail instanceof Error && showProblem(troubles, detail));
  for (const one of wanted.links) await hypha.hold(one).catch((error) => showProblem(troubles, error));
  // For whoever looks after it from outside: what it uses, in bytes.
  globalThis.hyphaReplica = { used: () => hypha.replica.used, memory: () => memory };
  setInterval(async () => (memory = (await hypha.stats()).memory), 1000);
  show();
  setInterval(show, 2000);
}

let waiting = false;
/** Many events, one drawing. */
function later() {
  if (waiting) return;
  waiting = true;
  setTimeout(() => {
    waiting = false;
    show();
  }, 200);
}

start().catch((error) => {
  state.dataset.state = "trouble";
  setText(state, "Not open");
  showProblem(troubles, error);
});
