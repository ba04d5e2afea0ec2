// Times as a person says them, in the language of the browser.

const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const STEPS = [[60, "second"], [60, "minute"], [24, "hour"], [Infinity, "day"]];

/** A Date from a Date, milliseconds or an ISO string; undefined for anything else. */
export function toDate(value) {
  const date = value instanceof Date ? value : new Date(typeof value === "bigint" ? Number(value) : value ?? NaN);
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
