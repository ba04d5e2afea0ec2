// Times as a person says them, in the language of the browser.

const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const STEPS = [[60, "second"], [60, "minute"], [24, "hour"], [Infinity, "day"]];

/** A Date from a Date, milliseconds or an ISO string; undefined for anything else. */
export function toDate(value) {
  // Anything may stand in what others wrote, and some of it cannot even be tried.
  const date = value instanceof Date ? value : new Date(typeof value === "bigint" ? Number(value) : ["number", "string"].includes(typeof value) ? value : NaN);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** "5 minutes ago", "in 2 minutes". */
export function relative(value) {
  const date = toDate(value);
  if (!date) return "";
  let amount = (date.getTime() - Date.now()) / 1000;
  for (const [size, unit] of STEPS) {
    if (Math.abs(amount) < size || size === Infinity) return RELATIVE.format(Math.round(amount), unit);
    amount /= size;
  }
  return "";
}

/** The time of day; with the date as well where it is not today. */
export function moment(value) {
  const date = toDate(value);
  if (!date) return "";
  const today = date.toDateString() === new Date().toDateString();
  return today ? CLOCK.format(date) : `${DAY.format(date)}, ${CLOCK.format(date)}`;
}

/** The day alone. */
export const day = (value) => DAY.format(toDate(value));

/** Everything, for a tooltip. */
export const full = (value) => (toDate(value) ? FULL.format(toDate(value)) : "");

/** The date that a choice in words means: `new Date(0)` for everything; undefined where a time is still to be typed. */
export function sinceDate(choice, typed = "", now = Date.now()) {
  const midnight = (daysAgo) => {
    const date = new Date(now);
    date.setDate(date.getDate() - daysAgo); // not 24 hours: some days have 23 or 25
    return date.setHours(0, 0, 0, 0);
  };
  return toDate({ hour: now - 3_600_000, today: midnight(0), yesterday: midnight(1), week: now - 604_800_000, all: 0, other: Date.parse(typed) }[choice]);
}
