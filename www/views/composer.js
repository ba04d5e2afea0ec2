// Where one writes. The text stays in the field until it is durable; an error loses nothing. What was typed
// survives locking and being let in, because it is kept here while the field is away; and so does who may read it: what was
// meant to be private must not come back as public.

import { h, setText } from "../lib/dom.js";
import { untilStored } from "../lib/leaving.js";
import { attempt, problemPlace } from "../lib/problems.js";

let unsent = "";
let isPrivate = false;

/** A new key for a post: sorts by time, and differs for two posts of one millisecond. */
function postKey(time) {
  const random = crypto.getRandomValues(new Uint8Array(3));
  return `posts/${time}-${[...random].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

export function composer(app) {
  const text = h("textarea", { id: "composer-text", rows: "2", test: "composer", placeholder: "Write…", value: unsent, oninput: grow,
    onkeydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    } });
  const secret = h("input", { type: "checkbox", id: "composer-private", checked: isPrivate, "aria-describedby": "composer-readers", onchange: update, test: "composer-private" });
  const readers = h("span", { class: "hint", id: "composer-readers", role: "status" });
  const place = problemPlace();
  const submit = h("button", { type: "submit", class: "main", test: "post" }, "Post");
  const drafts = h("p", { class: "hint" }, "Kept here as drafts until you are let in.");
  const form = h("form", { class: "composer", novalidate: true, "aria-label": "Write", onsubmit },
    h("label", { htmlFor: text.id, class: "unseen" }, "What do you want to write?"), text, place, drafts,
    h("div", { class: "actions" },
      h("span", { class: "private-choice" }, secret, h("label", { htmlFor: secret.id }, "Private"), readers),
      h("span", { class: "hint keys" }, "Ctrl + Enter"), submit));

  function grow() {
    unsent = text.value;
    // One line of the field per line of text, up to ten; a long line wraps and scrolls.
    text.rows = Math.min(10, Math.max(2, text.value.split("\n").length));
  }

  function update() {
    isPrivate = secret.checked;
    setText(readers, secret.checked ? "Only your own devices can read it." : "Anyone with the link can read it.");
    drafts.hidden = app.state !== "requesting";
    setText(submit, app.state === "requesting" ? "Keep as draft" : "Post");
  }

  async function onsubmit(event) {
    event.preventDefault();
    if (!text.value.trim()) return text.focus();
    await attempt(submit, place, async () => {
      text.readOnly = true;
      try {
        const value = { text: text.value, time: new Date().toISOString() };
        const key = postKey(value.time);
        await untilStored(app.hypha.home.put(key, value, { private: secret.checked }));
        app.posted = key;
        app.wrote = true;
        text.value = "";
        grow();
      } finally {
        text.readOnly = false;
      }
    });
    text.focus();
    app.update("post");
  }
  grow();
  return { node: form, update };
}
