// "Show nothing it wrote since …": a list of usual times, and a field for any other.

import { field, h } from "./dom.js";

const HOUR = 3_600_000;
const CHOICES = { hour: "the last hour", today: "today, from midnight", yesterday: "yesterday and today", week: "the last seven days",
  all: "everything it ever wrote", other: "since a time that I choose…" };

/** The date that a choice means: `new Date(0)` for everything; undefined where a time is still to be typed. */
export function sinceDate(choice, now = Date.now(), typed = "") {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const date = { hour: now - HOUR, today: midnight, yesterday: new Date(midnight).setDate(new Date(midnight).getDate() - 1),
    week: now - 7 * 24 * HOUR, all: 0, other: Date.parse(typed) }[choice];
  return Number.isNaN(date) ? undefined : new Date(date);
}

/** The field: `{ node, date() }`. `none`: the words for hiding nothing, which is then the first choice. `date()` is null for that, undefined if none was typed. */
export function sinceField({ label, none }) {
  const options = Object.entries({ ...(none && { none }), ...CHOICES });
  const time = field({ label: "Since when?", input: h("input", { type: "datetime-local", test: "hide-time" }) });
  const select = h("select", { test: "hide-since", onchange: () => (time.node.hidden = select.value !== "other") },
    options.map(([value, text]) => h("option", { value }, text)));
  time.node.hidden = true;
  return {
    node: h("div", {}, field({ label, input: select }).node, time.node),
    date() {
      if (select.value === "none") return null;
      const date = sinceDate(select.value, Date.now(), time.input.value);
      if (!date) {
        time.complain("Choose a day and a time.");
        time.input.focus();
      }
      return date;
    },
  };
}
