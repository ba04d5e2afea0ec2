// The page's half of the network's works. Two pages, A and B, in two browsers; times are of one clock.
//
//   open(name, role)      opens a database, alone
//   append(batches)       appends each batch; resolves when all are stored
//   loose(entries)        one call per entry, not awaited one by one
//   write(entry)          one entry, nothing is awaited
//   count()               entries that can be read now; `changed()` is called whenever it may have grown
//   check()               [entries, bytes] by reading all
//   connect(role, hub, topic, other)   begins to look for the other page, which `other` is about
//   disconnect()          back to being alone
//   about()               what the other page must know, if anything
//   visit(hub, other)     reads what the other page is about, as one of many

import { batches, entries, timed } from "./page.js";
import { calibrate, clock, ends, reset, wire } from "./wire.js";

/** Offers a system to whoever drives the two browsers. */
export function offer(system) {
  const waiting = [];
  let arrivals;
  let from;
  changed = () => {
    const [count, now] = [system.count(), clock()];
    while (arrivals && arrivals.length < count - from) arrivals.push(now);
    for (const wait of waiting.splice(0)) wait(count, now) || waiting.push(wait);
  };
  globalThis.bench = {
    calibrate,
    open: (name, role) => system.open(name, role),
    append: (count, seed) => timed(() => system.append(batches(entries(count, seed)))).then(({ ms }) => ms),
    loose: (count, seed) => timed(() => system.loose(entries(count, seed))).then(({ ms }) => ms),
    about: () => system.about?.(),
    pair: (...given) => system.pair?.(...given),
    visit: (...given) => system.visit?.(...given),
    ends,
    async connect(role, hub, topic, other) {
      reset();
      const began = clock();
      await system.connect(role, hub, topic, other);
      return began;
    },
    disconnect: () => system.disconnect(),
    wire,
    count: () => system.count(),
    check: () => system.check(),
    /** When so many entries can be read. */
    until: (wanted) => new Promise((resolve) => {
      waiting.push((count, now) => count >= wanted && (resolve(now), true));
      changed();
    }),
    listen() {
      from = system.count();
      arrivals = [];
    },
    arrivals: () => arrivals,
    /** Writes single entries, so many ms apart; when each was given. */
    async burst(count, seed, gap) {
      const given = [];
      for (const entry of entries(count, seed)) {
        given.push(clock());
        system.write(entry);
        await new Promise((resolve) => setTimeout(resolve, gap));
      }
      return given;
    },
  };
}

/** The system calls it whenever there may be more entries. */
export let changed = () => {};
