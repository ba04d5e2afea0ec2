// The works and the systems, as the table names them.

/** Page and title of each system; `raw` is no system but what IndexedDB can do. */
export const SYSTEMS = {
  hypha: { title: "Hypha (strict, signed)", page: "hypha.html" },
  yjs: { title: "Yjs + y-indexeddb", page: "yjs.html", packages: ["yjs", "y-indexeddb"] },
  automerge: {
    title: "automerge-repo + its IndexedDB",
    page: "automerge.html",
    packages: ["@automerge/automerge", "@automerge/automerge-repo", "@automerge/automerge-repo-storage-indexeddb"],
  },
  loro: { title: "Loro + snapshot in IndexedDB", page: "loro.html", packages: ["loro-crdt"] },
  hypercore: { title: "hypercore on IndexedDB (signed)", page: "hypercore.html", packages: ["hypercore"] },
  relaxed: { title: "raw limit, relaxed", page: "raw.html?durability=relaxed", raw: true },
  strict: { title: "raw limit, strict", page: "raw.html?durability=strict", raw: true },
};

/** Columns: head, how to read the value of a row of medians, what must be reached. */
function columns({ few, many }) {
  const thousands = (count) => count.toLocaleString("en-US");
  const sum = (a, b) => (a === undefined || b === undefined ? undefined : a + b);
  return [
    { head: `W1: ${thousands(few)} in batches of 1,000`, value: (row) => row.append, peer: 1 },
    { head: `W1b: ${thousands(few)} single calls`, value: (row) => row.loose, own: [3, "append", "W1"] },
    { head: "W2: 300, each durable before the next", value: (row) => row.each, peer: 1, raw: 1.3 },
    { head: `W7: ${thousands(many)} in batches of 1,000`, value: (row) => row.appendMany, peer: 1 },
    { head: `W3: open ${thousands(few)}`, value: (row) => row.open, peer: 1 },
    { head: `open ${thousands(few)} and read all`, value: (row) => sum(row.open, row.readAll) },
    { head: `W3: open ${thousands(many)}`, value: (row) => row.openMany, peer: 1 },
    { head: `newest 50 of ${thousands(many)}, once open`, value: (row) => row.newest, most: 30 },
    { head: `open ${thousands(many)} and read all`, value: (row) => sum(row.openMany, row.readAllMany) },
    { head: `memory after reading ${thousands(many)}, MB`, value: (row) => row.memory, peer: 1 },
  ];
}

const shown = (value) => (value === undefined ? "—" : value >= 100 ? value.toFixed(0) : value.toFixed(1));

/** Every system's medians, as Markdown. */
export function table(medians, counts) {
  return rowsOf(medians, columns(counts));
}

/** How long processors worked for it, in ms: this depends less on what else the machine does. */
export function work(medians, { few, many }) {
  const thousands = (count) => count.toLocaleString("en-US");
  return rowsOf(medians, [
    { head: `processor time: W1, ${thousands(few)}`, value: (row) => row.appendCpu },
    { head: "W2, 300", value: (row) => row.eachCpu },
    { head: `W7, ${thousands(many)}`, value: (row) => row.appendManyCpu },
    { head: `W3, open ${thousands(few)}`, value: (row) => row.openCpu },
    { head: `W3, open ${thousands(many)}`, value: (row) => row.openManyCpu },
  ]);
}

function rowsOf(medians, works) {
  const rows = Object.entries(medians).map(([name, row]) => [SYSTEMS[name].title, ...works.map(({ value }) => shown(value(row)))]);
  return markdown([["", ...works.map(({ head }) => head)], ...rows]);
}

/** Ours beside the best of the others and the limit, as Markdown. */
export function verdicts(medians, counts) {
  const { hypha, strict } = medians;
  if (!hypha) return "";
  const rows = columns(counts).map((work) => {
    const mine = work.value(hypha);
    const best = bestPeer(medians, work);
    const limit = strict && work.value(strict);
    const ratio = (to) => (mine === undefined || to === undefined ? "—" : `${(mine / to).toFixed(2)}`);
    return [work.head, shown(mine), best ? `${best.title}: ${shown(best.value)}` : "—", ratio(best?.value), shown(limit), ratio(limit), reached(work, mine, best?.value, limit, hypha)];
  });
  return markdown([["work", "Hypha", "best peer", "ratio", "raw, strict", "ratio", "must reach"], ...rows]);
}

/** Every work with its value in every system, for the chart. */
export function works(medians, counts) {
  return columns(counts).map(({ head, value }) => ({
    head,
    values: Object.entries(medians).map(([name, row]) => ({ name, title: SYSTEMS[name].title, value: value(row) })),
  }));
}

function bestPeer(medians, work) {
  const found = Object.entries(medians)
    .filter(([name]) => name !== "hypha" && !SYSTEMS[name].raw)
    .map(([name, row]) => ({ title: SYSTEMS[name].title, value: work.value(row) }))
    .filter(({ value }) => value !== undefined);
  return found.sort((a, b) => a.value - b.value)[0];
}

function reached(work, mine, best, limit, own) {
  const goals = [];
  if (work.peer !== undefined) goals.push([`≤ best peer`, best === undefined ? undefined : mine <= best * work.peer]);
  if (work.raw !== undefined) goals.push([`≤ ${work.raw} × raw`, limit === undefined ? undefined : mine <= limit * work.raw]);
  if (work.most !== undefined) goals.push([`≤ ${work.most}`, mine <= work.most]);
  if (work.own !== undefined) goals.push([`≤ ${work.own[0]} × ${work.own[2]}`, own[work.own[1]] === undefined ? undefined : mine <= own[work.own[1]] * work.own[0]]);
  return goals.map(([what, yes]) => (yes === undefined || mine === undefined ? `${what}: not measured` : `${what}: ${yes ? "yes" : "no"}`)).join("; ");
}

function markdown(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join("\n");
}
