// The field that opens somebody's link.

import { field, h } from "../lib/dom.js";
import { attempt, problemPlace } from "../lib/problems.js";

export function linkForm(app, typed = "") {
  const link = field({ label: "Link", input: h("input", { type: "text", test: "link-input", placeholder: "hypha://…", value: typed,
    autocomplete: "off", autocapitalize: "none", spellcheck: "false" }) });
  const submit = h("button", { type: "submit", class: "main", test: "link-submit" }, "Open");
  const place = problemPlace();
  return h("form", { novalidate: true, onsubmit }, link.node, place, h("div", { class: "actions" }, submit));

  function onsubmit(event) {
    event.preventDefault();
    const text = link.input.value.trim();
    if (!text) {
      link.complain("Paste the link here first.");
      return link.input.focus();
    }
    // A link that cannot be read comes back as trouble, with this form and what was typed.
    return attempt(submit, place, () => app.open({ link: text }));
  }
}
