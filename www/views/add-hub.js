// The form that adds a hub.

import { field, h } from "../lib/dom.js";
import { hubProblem } from "../lib/hub-problem.js";
import { attempt, problemPlace } from "../lib/problems.js";

/** `keep(urls)` takes the new list. */
export function addHub(app, keep) {
  const url = field({ label: "Add a hub", hint: "Its address starts with wss://.", input: h("input", { type: "url", test: "hub-url", placeholder: "wss://", autocomplete: "off", spellcheck: "false" }) });
  const submit = h("button", { type: "submit", test: "hub-add" }, "Add");
  const place = problemPlace();
  return h("form", { novalidate: true, onsubmit }, url.node, place, h("div", { class: "actions" }, submit));

  function onsubmit(event) {
    event.preventDefault();
    const text = url.input.value.trim();
    const wrong = hubProblem(text, app.hubs);
    if (wrong) {
      url.complain(wrong);
      return url.input.focus();
    }
    return attempt(submit, place, async () => {
      await app.hypha.addHub(text);
      const { hubs } = await app.hypha.stats();
      keep([...new Set([...hubs.map(({ url }) => url), text])]);
      url.input.value = "";
    });
  }
}
