// "Hide what it wrote since …": a list of usual times, and a field for any other.

import { field, h } from "./dom.js";
import { sinceDate } from "./time.js";

const CHOICES = { hour: "an hour ago", today: "this midnight", yesterday: "the midnight before", week: "seven days ago",
  all: "the beginning: everything", other: "a time that I choose…" };

/** The field: `{ node, date() }`. `none`: the words for hiding nothing, which is then the first choice. `date()` is null for that, undefined if none was typed. */
export function sinceField({ label, none }) {
  const options = Object.entries({ ...(none && { none }), ...CHOICES });
  const time = field({ label: "Which time?", input: h("input", { type: "datetime-local", test: "hide-time" }) });
  const select = h("select", { test: "hide-since", onchange: () => (time.node.hidden = select.value !== "other") },
    options.map(([value, text]) => h("option", { value }, text)));
  time.node.hidden = true;
  return {
    node: h("div", {}, field({ label, input: select }).node, time.node),
    date() {
      if (select.value === "none") return null;
      const date = sinceDate(select.value, time.input.value);
      if (!date) {
        time.complain("Choose a day and a time.");
        time.input.focus();
      }
      return date;
    },
  };
}
