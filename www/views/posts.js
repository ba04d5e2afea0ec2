// The posts, oldest first or newest first. Read from the package whenever it says that something changed; the
// list on screen is then brought in line, item by item, so that nothing flickers and the focus stays.

import { announce, button, h, heading, setText } from "../lib/dom.js";
import { dressed } from "../lib/later.js";
import { showProblem, problemPlace } from "../lib/problems.js";
import { POSTS, postText } from "../lib/post.js";
import { recall, remember } from "../lib/settings.js";
import { full, moment, toDate } from "../lib/time.js";
const PAGE = 100;

export function posts(app) {
  const items = new Map(); // key -> { node, look }
  const list = h("ol", { class: "posts", test: "posts", role: "list", "aria-label": "Posts" });
  const earlier = button("Show earlier posts", () => {
    limit += PAGE;
    first = true; // Old ones are no news.
    refresh();
  }, { class: "quiet", hidden: true });
  const order = button("", () => {
    remember("order", newestFirst() ? undefined : "newest");
    refresh();
  }, { class: "quiet", hidden: true });
  const empty = h("p", { class: "empty", hidden: true });
  const copy = h("p", { class: "hint", test: "copy-note", hidden: true });
  const place = problemPlace();
  const title = heading(1, "Diary");
  const node = h("section", { class: "diary" }, h("div", { class: "bar" }, title, order), copy, empty, list, earlier, place);

  let limit = PAGE;
  let reading = false;
  let again = false;
  let first = true;
  let watched;
  let day; // Times of this day are shown without it.
  let stop = () => {};

  const newestFirst = () => recall("order") === "newest";

  // One reading at a time; whatever changes meanwhile causes one more.
  async function refresh() {
    again = true;
    if (reading) return;
    reading = true;
    while (again) {
      again = false;
      try {
        show(await read(app.hypha?.home, limit + 1));
        place.replaceChildren();
      } catch (error) {
        if (node.isConnected) showProblem(place, error);
      }
    }
    reading = false;
  }

  function show(entries) {
    const more = entries.length > limit;
    const shown = entries.slice(0, limit);
    if (!newestFirst()) shown.reverse();
    let lost = false; // whether the focus goes with a post
    const wanted = new Set(shown.map(({ key }) => key));
    for (const [key, { node: gone }] of items) {
      if (wanted.has(key)) continue;
      lost ||= gone.contains(document.activeElement);
      gone.remove();
      items.delete(key);
    }
    if (lost) title.focus({ preventScroll: true });
    const fresh = [];
    const isFirst = app.seen.size === 0 && shown.length > 0;
    const writers = app.hypha?.home?.writers() ?? [];
    shown.forEach((entry, index) => {
      app.seen.add(entry.key);
      const { draft, mine = draft } = entry;
      const source = firstBy(entry, writers);
      const look = JSON.stringify([entry.version, draft, entry.private, entry.device, mine, source, app.state, day]);
      const known = items.get(entry.key);
      let item = known?.node;
      if (known?.look !== look) {
        item = postItem(app, entry, source, remove);
        known?.node.replaceWith(item);
        items.set(entry.key, { node: item, look });
        if (!known && !mine) fresh.push(entry);
      }
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
    earlier.hidden = !more;
    node.insertBefore(earlier, newestFirst() ? place : list);
    order.hidden = shown.length < 2;
    setText(order, newestFirst() ? "Oldest first" : "Newest first");
    const { snapshot } = app.hypha?.home ?? {};
    copy.hidden = !snapshot;
    if (snapshot) setText(copy, `This is read from a copy of ${full(snapshot.time)} on this host, each post checked against its author's signature. Newer ones appear when a device of this diary is there.`);
    empty.hidden = shown.length > 0;
    setText(empty, EMPTY[app.state] ?? "Nothing has been written here yet.");
    if (!first && fresh.length > 0) announce(`New post${fresh.length > 1 ? `s: ${fresh.length}` : `: ${(postText(fresh[0].value) ?? "").slice(0, 120)}`}`);
    first = false;
    if (app.posted && items.has(app.posted)) {
      items.get(app.posted).node.scrollIntoView({ block: "nearest" });
      app.posted = undefined;
    }
    if (isFirst) app.update("seen");
  }

  async function remove(entry) {
    const { ask } = await dressed(() => import("../lib/dialog.js"));
    ask({
      title: "Delete this post?",
      body: [h("blockquote", {}, (postText(entry.value) ?? "").slice(0, 200)), h("p", {}, "It disappears from every device that hears of it. Somebody who kept a copy still has it.")],
      choices: [{ label: "Delete", test: "delete-confirm", danger: true, act: async () => {
        await app.hypha.home.delete(entry.key);
        refresh();
      } }],
    });
  }

  function update(why) {
    const today = new Date().toDateString();
    if (["hub", "peer", "tick", "seen"].includes(why) && day === today) return;
    day = today;
    const home = app.hypha.home;
    setText(title, home?.title || "Diary");
    const now = home && `${home.link} ${app.state}`;
    if (now !== watched) {
      stop();
      stop = home?.watch(POSTS, refresh) ?? (() => {});
      watched = now;
    }
    refresh();
  }
  return { node, update, close: () => stop() };
}

const EMPTY = {
  visitor: "Nothing public has arrived yet. What is written on the other devices appears here by itself.",
  writer: "A blank page. Write the first lines below.",
};

// The newest `limit` posts, newest first.
async function read(home, limit) {
  const found = [];
  if (!home) return found;
  for await (const entry of home.list({ prefix: POSTS, reverse: true, limit })) found.push(entry);
  return found;
}

// Who wrote it before it was taken away and written again.
function firstBy({ adopted }, writers) {
  return adopted && (writers.find(({ key }) => adopted.startsWith(key))?.device || "another device");
}

function postItem(app, entry, source, remove) {
  const { mine = entry.draft } = entry;
  const text = postText(entry.value);
  const time = toDate(entry.value?.time) ?? toDate(entry.time);
  const writes = app.state === "writer" || (app.state === "requesting" && entry.draft);
  return h("li", { class: `post${entry.private ? " private" : ""}${entry.draft ? " draft" : ""}`, test: "post-item", "data-key": entry.key },
    h("p", { class: "text", dir: "auto" }, text ?? (entry.private ? "Private. Unlock this device to read it." : "This post was written by a newer version of Hypha.")),
    h("p", { class: "meta" },
      (mine || entry.device) && h("span", { class: "author" }, mine ? "you, on this device" : entry.device),
      source && h("span", { "data-badge": "adopted" }, `first written by ${source}`),
      time && h("time", { datetime: time.toISOString(), title: full(time) }, moment(time)),
      entry.private && h("span", { class: "badge secret", "data-badge": "private" }, "private"),
      entry.draft && h("span", { class: "badge", "data-badge": "draft" }, "draft"),
      writes && button("Delete", () => remove(entry), { class: "quiet small", test: "delete-post" })));
}
