// IndexedDB by itself: what it can do at best. All of an append is one transaction of 64 KiB pages; single entries are
// one record and one transaction each. `?durability=` is strict or relaxed.

import { all, openDb, write } from "../lib/idb.js";
import { offer, sum } from "../lib/page.js";

const PAGE = 65_536;
const SIZE = 100;
const durability = new URLSearchParams(location.search).get("durability");
let db;
let pages = [];
let records = [];

/** Pages full of entries, end to end. */
function paged(entries) {
  const bytes = new Uint8Array(entries.length * SIZE);
  entries.forEach((entry, n) => bytes.set(entry, n * SIZE));
  return Array.from({ length: Math.ceil(bytes.length / PAGE) }, (_, n) => bytes.slice(n * PAGE, (n + 1) * PAGE));
}

const append = (entries) => write(db, "pages", (store) => paged(entries).forEach((page) => store.put(page)), durability);

offer({
  async open(name) {
    db = await openDb(name, { pages: { autoIncrement: true }, records: { autoIncrement: true } });
    [pages, records] = await Promise.all([all(db, "pages"), all(db, "records")]);
  },
  append: (batches) => append(batches.flat()),
  loose: (entries) => append(entries),
  async each(entries) {
    for (const entry of entries) await write(db, "records", (store) => store.put(entry), durability);
  },
  readAll: () => [sum(pages) / SIZE + records.length, sum(pages) + sum(records)],
  close: () => db.close(),
});
