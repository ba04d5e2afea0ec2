// The page's half: every system is driven by the same calls, and timed in the page.
//
//   open(name)       opens a database; resolves when what is stored can be read
//   append(batches)  appends each batch; resolves when all are durable
//   loose(entries)   one call per entry, not awaited one by one; resolves when all are durable
//   each(entries)    one call per entry, each durable before the next
//   newest(count)    bytes of the last entries
//   readAll()        [entries, bytes] of all of them

const SIZE = 100;
const PER_BATCH = 1000;

/** `count` entries of 100 bytes. The same seed gives the same bytes in every system. */
export function entries(count, seed) {
  let state = seed | 1;
  return Array.from({ length: count }, () => {
    const words = new Uint32Array(SIZE / 4);
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[i] = state;
    }
    return new Uint8Array(words.buffer);
  });
}

export const batches = (list) => Array.from({ length: Math.ceil(list.length / PER_BATCH) }, (_, n) => list.slice(n * PER_BATCH, (n + 1) * PER_BATCH));

export async function timed(work) {
  const start = performance.now();
  const result = await work();
  return { ms: performance.now() - start, result };
}

/** Offers a system to whoever drives the browser. */
export function offer(system) {
  globalThis.bench = {
    open: async (name) => ({ ...(await timed(() => system.open(name))), sinceNavigation: performance.now() }),
    append: (count, seed) => {
      const given = batches(entries(count, seed));
      return timed(() => system.append(given));
    },
    loose: (count, seed) => {
      const given = entries(count, seed);
      return timed(() => system.loose(given));
    },
    each: (count, seed) => {
      const given = entries(count, seed);
      return timed(() => system.each(given));
    },
    newest: (count) => timed(() => system.newest(count)),
    readAll: () => timed(() => system.readAll()),
    close: () => system.close?.(),
  };
}

export const sum = (list) => list.reduce((bytes, entry) => bytes + entry.length, 0);
