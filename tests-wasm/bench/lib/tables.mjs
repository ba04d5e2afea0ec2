// Medians as Markdown. A work is `{ head, value(row) }` and what must be reached: `peer` and `raw` are times the best
// other system and the limit, `most` a figure, `own` times another value of ours.

const shown = (value) => (value === undefined ? "—" : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

/** Every system's medians. */
export function table(systems, medians, works) {
  const rows = Object.entries(medians).map(([name, row]) => [systems[name].title, ...works.map(({ value }) => shown(value(row)))]);
  return markdown([["", ...works.map(({ head }) => head)], ...rows]);
}

/** Ours beside the best of the others and the limit. */
export function verdicts(systems, medians, works) {
  const { hypha } = medians;
  if (!hypha) return "";
  const rows = works.map((work) => {
    const mine = work.value(hypha);
    const best = bestOf(work, systems, medians, ({ raw, few }) => !raw && !(work.few && few));
    const limit = bestOf(work, systems, medians, ({ limit }, name) => (work.limit ? name === work.limit : limit));
    const ratio = (to) => (mine === undefined || to === undefined ? "—" : `${(mine / to).toFixed(2)}`);
    const goals = reached(work, mine, best?.value, limit?.value, hypha);
    return [work.head, shown(mine), best ? `${best.title}: ${shown(best.value)}` : "—", ratio(best?.value), shown(limit?.value), ratio(limit?.value), goals];
  });
  return markdown([["work", "Hypha", "best peer", "ratio", "raw limit", "ratio", "must reach"], ...rows]);
}

function bestOf(work, systems, medians, counts) {
  const found = Object.entries(medians)
    .filter(([name]) => name !== "hypha" && counts(systems[name], name))
    .map(([name, row]) => ({ title: systems[name].title, value: work.value(row) }))
    .filter(({ value }) => value !== undefined);
  return found.sort((a, b) => a.value - b.value)[0];
}

function reached({ peer, raw, most, own }, mine, best, limit, row) {
  const goals = [];
  const goal = (what, bound) => goals.push(`${what}: ${mine === undefined || Number.isNaN(bound) ? "not measured" : mine <= bound ? "yes" : "no"}`);
  if (peer !== undefined) goal("≤ best peer", (best ?? NaN) * peer);
  if (raw !== undefined) goal(`≤ ${raw} × raw`, (limit ?? NaN) * raw);
  if (most !== undefined) goal(`≤ ${most}`, most);
  if (own !== undefined) goal(`≤ ${own[0]} × ${own[2]}`, (own[1](row) ?? NaN) * own[0]);
  return goals.join("; ");
}

function markdown(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join("\n");
}
