// The network's works and the systems, as the table names them.

/** Page and title of each system; `raw` is no system but what a data channel can do; `few` is how many entries it can move. */
export const SYSTEMS = {
  hypha: { title: "Hypha (strict, signed, verified)", page: "net-hypha.html", perEntry: 114 },
  yjs: { title: "Yjs over a bare channel, in pieces", page: "net-yjs.html", packages: ["yjs", "y-indexeddb", "y-protocols"] },
  "y-webrtc": { title: "Yjs + y-webrtc, 2,000 entries", page: "net-yjs.html?transport=y-webrtc", packages: ["y-webrtc"], few: 2000 },
  automerge: { title: "automerge-repo over a bare channel", page: "net-automerge.html", packages: ["@automerge/automerge", "@automerge/automerge-repo"] },
  loro: { title: "Loro over a bare channel", page: "net-loro.html", packages: ["loro-crdt"] },
  bare: { title: "raw limit: a bare channel", page: "net-bare.html", raw: true, limit: true },
  committed: { title: "raw limit: a strict commit, then a bare message", page: "net-bare.html?durability=strict", raw: true, only: "live" },
};

/** Bytes of an entry: what the page hands over. Ours has a key of 14 letters, the lists of the others have none. */
export const perEntry = (name) => SYSTEMS[name].perEntry ?? 100;

/** One write in a network of many; only ours makes one. */
export const crowds = [
  { head: "8 nodes: one write at all", value: (row) => row.crowd8 },
  { head: "hops", value: (row) => row.hops8 },
  { head: "bytes a node sends for it", value: (row) => row.bytes8 },
  { head: "16 nodes: one write at all", value: (row) => row.crowd16 },
  { head: "hops to the farthest", value: (row) => row.hops16 },
  { head: "bytes a node sent for it", value: (row) => row.bytes16 },
];

const thousands = (count) => count.toLocaleString("en-US");

/**
 * Works: head, the value in a row of medians, what must be reached; `few` ones are not comparable for who moves fewer. `limit`
 * names the system that is their limit: nothing of ours leaves before it is on the disk, so a bare message alone is none.
 */
export function works({ few, many }) {
  return [
    { head: `W4: ${thousands(few)} to an empty peer`, value: (row) => row.first, peer: 1, few: true },
    { head: "W4: its payload ÷ data", value: (row) => row.firstPayload, most: 1.15 },
    { head: "W4, written by single calls", value: (row) => row.loose, peer: 1, few: true },
    { head: "its payload ÷ data", value: (row) => row.loosePayload, most: 1.15 },
    { head: `W4: ${thousands(many)}`, value: (row) => row.many, own: [10, (row) => row.first, `${thousands(few)}`], few: true },
    { head: "W5: 500 + 500 apart, together again", value: (row) => row.again, peer: 1, few: true },
    { head: "W5: its payload ÷ new data", value: (row) => row.againPayload, most: 1.2 },
    { head: "W6: one write until it is there, median", value: (row) => row.live, peer: 1, raw: 1.3, limit: "committed" },
    { head: "W6: 95 of 100", value: (row) => row.live95, peer: 1, limit: "committed" },
    { head: "connect(): until the channel is open", value: (row) => row.opened, raw: 1.5 },
    { head: "connect(): until the first byte", value: (row) => row.firstByte, raw: 1.5 },
  ];
}
