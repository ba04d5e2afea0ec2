// What was taken away: entries that a removal, a fork or a hide took off the page, by device, to read and to write
// again. Nothing of it is deleted, so nothing here is urgent.

import { button, h, heading } from "../lib/dom.js";
import { named, quoted } from "../lib/devices.js";
import { attempt, problemPlace, showProblem } from "../lib/problems.js";
import { POSTS, postText } from "../lib/post.js";
import { full, moment, toDate } from "../lib/time.js";

const PAGE = 100;
const WHY = {
  cut: "the device was removed, provisionally",
  removed: "the device was removed for good",
  forked: "the device wrote two different histories",
  grant: "the device that let it in had been removed by then",
  hidden: "you hid what the device wrote",
};

export function taken(app) {
  const title = heading(1, "What was taken away");
  const groups = h("div", {});
  const empty = h("p", { class: "empty", hidden: true }, "Nothing was taken away.");
  const more = button("Show more", () => {
    limit += PAGE;
    refresh();
  }, { class: "quiet", hidden: true });
  const place = problemPlace();
  const node = h("section", { class: "diary", test: "quarantine" },
    h("div", { class: "bar" }, title, h("a", { href: "#" }, "Back to the diary")),
    h("p", {}, "None of this is in the diary any more, and none of it is lost. You can write again what you want to keep: it then stands in the diary as yours, with a word on who wrote it first."),
    empty, groups, more, place);
  let limit = PAGE;
  let turn = 0;
  let shown;

  async function refresh() {
    const mine = ++turn;
    const { home } = app.hypha;
    try {
      const found = [];
      for await (const entry of home?.quarantine() ?? []) if (found.push(entry) > limit) break;
      const here = found.slice(0, limit);
      const standing = await Promise.all(here.map(({ key }) => home.get(key)));
      if (mine !== turn) return;
      place.replaceChildren();
      more.hidden = found.length <= limit;
      empty.hidden = found.length > 0;
      const items = here.map((entry, at) => ({ entry, done: isDone(entry, standing[at]) }));
      const look = JSON.stringify([app.state, items.map(({ entry, done }) => [entry.version, entry.why, entry.device, done])]);
      if (look === shown) return;
      shown = look;
      show(items, home.writers());
    } catch (error) {
      if (mine === turn && node.isConnected) showProblem(place, error);
    }
  }

  function show(items, writers) {
    const { activeElement } = document;
    const had = groups.contains(activeElement);
    const focused = activeElement?.closest?.("[data-version]")?.dataset.version;
    const whose = activeElement?.closest?.("[data-writer]")?.dataset.writer;
    const keys = [...new Set(items.map(({ entry }) => entry.writer))];
    groups.replaceChildren(...keys.map((key) => group(app, writers.find((writer) => writer.key === key), items.filter(({ entry }) => entry.writer === key), refresh)));
    if (had) (groups.querySelector(focused ? `[data-version="${focused}"]` : `[data-writer="${whose}"] h2`) ?? title).focus();
  }
  return { node, update: (why) => ["tick", "peer", "hub"].includes(why) || refresh() };
}

/** Whether the diary says the same again, by whichever device. */
function isDone({ version, value }, standing) {
  if (value === undefined) return standing === undefined;
  return [standing, ...(standing?.conflicts ?? [])].some((other) => other?.adopted === version);
}

function group(app, writer, items, refresh) {
  const place = problemPlace();
  const open = items.filter(({ done }) => !done);
  const all = button(`Write all ${open.length} again`, () => attempt(all, place, async () => {
    for (const { entry } of open) await app.hypha.home.adopt(entry);
    await refresh();
  }), { test: "adopt-all" });
  const reasons = [...new Set(items.map(({ entry }) => entry.why))];
  const [{ entry: { mine } }] = items;
  return h("section", { class: "taken", "data-writer": writer?.key },
    heading(2, mine ? "Written on this device" : named(writer)),
    h("p", { class: "hint" }, `Not shown because ${reasons.map((why) => WHY[why] ?? why).join(", or because ")}.`),
    reasons.includes("cut") && app.state === "writer" && h("p", { class: "hint" },
      `Was that a mistake? Sign in again on ${writer?.device ? quoted([writer]) : "that device"} with the passphrase and let it back in from here; then write again below what it wrote meanwhile.`),
    reasons.includes("hidden") && app.state === "writer" && h("p", { class: "hint" }, "“Show what it wrote again”, in the list of devices, puts all of it back."),
    app.state !== "writer" && h("p", { class: "hint" }, "Any of your devices that is signed in can write it again."),
    h("ol", { class: "posts", role: "list" }, items.map((one) => item(app, one, reasons.length > 1, refresh))),
    place, app.state === "writer" && open.length > 1 && h("div", { class: "actions" }, all));
}

function item(app, { entry, done }, mixed, refresh) {
  const time = toDate(entry.value?.time) ?? toDate(entry.time);
  const place = problemPlace();
  const again = button(entry.value === undefined ? "Delete it again" : "Write it again", () => attempt(again, place, async () => {
    await app.hypha.home.adopt(entry);
    await refresh();
  }), { test: "adopt", class: "small" });
  return h("li", { class: `post${entry.private ? " private" : ""}`, test: "quarantine-item", tabIndex: -1, "data-version": entry.version, "data-why": entry.why },
    h("p", { class: "text", dir: "auto" }, textOf(entry)),
    h("p", { class: "meta" }, time && h("time", { datetime: time.toISOString(), title: full(time) }, moment(time)),
      entry.private && h("span", { class: "badge secret" }, "private"),
      mixed && h("span", {}, WHY[entry.why] ?? entry.why),
      done ? h("span", { class: "badge", test: "adopted" }, entry.value === undefined ? "deleted" : "in the diary again") : app.state === "writer" && again),
    place);
}

// Other programs may keep other things in the same place: they are shown by name, as plain data.
function textOf({ key, value }) {
  if (value === undefined) return key.startsWith(POSTS) ? "It deleted a post." : `It deleted ${key}.`;
  return postText(value) ?? `${key}: ${JSON.stringify(value, (_, part) => (typeof part === "bigint" ? String(part) : part))?.slice(0, 300)}`;
}
