// Who this browser is connected to, and through which hubs it finds them.

import { h, heading, setText } from "../lib/dom.js";
import { alone, safetyLine } from "../lib/safety.js";
import { hubs } from "./hubs.js";

const PATHS = { tab: "a tab of this browser", direct: "straight from browser to browser", turn: "through a server in between that cannot read it", relay: "through a hub that cannot read it" };

export function status(app) {
  const summary = h("p", { test: "connection", role: "status" });
  const count = h("p");
  const list = h("ul", { class: "rows", role: "list" });
  const others = h("div", { test: "peers", "data-count": "0" }, count, list);
  const hubList = hubs(app);
  const replicas = h("p", { test: "replica-status", hidden: true });
  const single = h("p", { class: "hint", test: "kept-here-alone", hidden: true });
  const away = h("p", {}, h("a", { href: "#without-a-hub", test: "offline-link" }, "Without a hub: codes, files, back-up"));
  const node = h("section", { class: "card" }, heading(2, "Connections"), summary, others, replicas, single, hubList.node, away);
  let reading = 0;

  async function update() {
    const hypha = app.hypha;
    const turn = ++reading;
    showPeers(hypha.peers());
    away.hidden = app.state === "uninitialised";
    const safety = safetyLine(hypha.home);
    replicas.hidden = safety === "";
    setText(replicas, safety);
    if (safety) replicas.dataset.replicas = `${hypha.home.safety().replicas}`;
    setText(single, alone(hypha.home));
    single.hidden = single.textContent === "";
    let stats;
    try {
      stats = await hypha.stats();
    } catch {
      return; // The node is closing, or says so elsewhere; what is on screen stays.
    }
    if (turn !== reading || hypha !== app.hypha) return;
    // Another tab may have added one, or removed one: the node knows.
    app.hubs = stats.hubs.map(({ url }) => url);
    hubList.show(stats.hubs);
    setText(summary, sentence(stats.hubs));
  }

  function showPeers(peers) {
    const open = peers.filter(({ state }) => state === "open").length; // The others are still being dialled, or were lost.
    others.dataset.count = `${open}`;
    setText(count, open > 0 ? `Connected to ${open} other browser${open > 1 ? "s" : ""}:` : peers.length > 0 ? "Connecting…" : "No other browser is connected right now.");
    const rows = peers.map((peer) => {
      const trip = peer.roundTrip;
      const time = trip === undefined ? "" : `${trip < 10 ? trip.toFixed(1) : Math.round(trip)} ms`;
      return [PATHS[peer.path] ?? peer.path, peer.state !== "open" && peer.state, time]
        .filter(Boolean).join(" · ");
    });
    while (list.children.length > rows.length) list.lastElementChild.remove();
    rows.forEach((row, i) => {
      if (!list.children[i]) list.append(h("li", {}));
      setText(list.children[i], row);
      list.children[i].dataset.transport = peers[i].transport ?? "";
      list.children[i].dataset.path = peers[i].path ?? "";
    });
    list.hidden = rows.length === 0;
  }
  return { node, update };
}

// What the person can expect from these hubs. A hub that says of itself that it does not relay, and no relay at
// all, means that some networks will not get through.
function sentence(known) {
  if (known.length === 0) return "Local: only tabs of this browser. Add a hub below to reach other devices.";
  const local = known.every((hub) => hub.relay === false);
  return `Other devices are found through ${known.length === 1 ? "one hub" : `${known.length} hubs`}.${local ? " Local network only: none of them passes messages on." : ""}`;
}
