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
  strict: { title: "raw limit, strict", page: "raw.html?durability=strict", raw: true, limit: true },
};

const thousands = (count) => count.toLocaleString("en-US");
const sum = (a, b) => (a === undefined || b === undefined ? undefined : a + b);

/** Works: head, how to read the value of a row of medians, what must be reached. */
export function works({ few, many }) {
  return [
    { head: `W1: ${thousands(few)} in batches of 1,000`, value: (row) => row.append, peer: 1 },
    { head: `W1b: ${thousands(few)} single calls`, value: (row) => row.loose, own: [3, (row) => row.append, "W1"] },
    { head: "W2: 300, each durable before the next", value: (row) => row.each, peer: 1, raw: 1.3 },
    { head: `W7: ${thousands(many)} in batches of 1,000`, value: (row) => row.appendMany, peer: 1 },
    { head: `W3: open ${thousands(few)}`, value: (row) => row.open, peer: 1 },
    { head: `from navigation until ${thousands(few)} are open`, value: (row) => row.navigation },
    { head: `open ${thousands(few)} and read all`, value: (row) => sum(row.open, row.readAll) },
    { head: `W3: open ${thousands(many)}`, value: (row) => row.openMany, peer: 1 },
    { head: `from navigation until ${thousands(many)} are open`, value: (row) => row.navigationMany },
    { head: `newest 50 of ${thousands(many)}, once open`, value: (row) => row.newest, most: 30 },
    { head: `open ${thousands(many)} and read all`, value: (row) => sum(row.openMany, row.readAllMany) },
    { head: `memory after reading ${thousands(many)}, MB`, value: (row) => row.memory, peer: 1 },
  ];
}

/** How long processors worked for it, in ms: this depends less on what else the machine does. */
export function processorTimes({ few, many }) {
  return [
    { head: `processor time: W1, ${thousands(few)}`, value: (row) => row.appendCpu },
    { head: "W2, 300", value: (row) => row.eachCpu },
    { head: `W7, ${thousands(many)}`, value: (row) => row.appendManyCpu },
    { head: `W3, open ${thousands(few)}`, value: (row) => row.openCpu },
    { head: `W3, open ${thousands(many)}`, value: (row) => row.openManyCpu },
  ];
}
