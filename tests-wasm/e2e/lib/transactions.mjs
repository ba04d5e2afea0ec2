// What a page asks of IndexedDB, written down as it asks: of every transaction all its requests and how it ended, and all
// that would be wrong for whoever never holds one across an await.
//
// A browser lets a transaction be asked something in the turn that made it, and while an answer to one of its own requests is
// handed out, with the microtasks of either. Whoever holds one across anything else is refused by an exception, finds it
// committed by itself, or asks it things for nothing so that it stays open. All of that is noted here:
//
//   wrong         a call on a transaction, a store or a request of it that threw
//                 a transaction that was aborted by nobody, or written by without a `commit` (the browser ended it, idle)
//                 a transaction that asks the same twice
//                 a page that stands still for a file between opening one that writes and its `commit`
//   transactions  { at, mode, durability, stores, asked: [{ store, method, key, bytes, turn }], end, turns, ms }

/** Runs in the page before everything else. */
export function recordTransactions() {
  const wrong = [];
  const transactions = [];
  const records = new WeakMap();
  const open = new Set();
  window.idb = { wrong, transactions, open };
  const report = (what, record) => wrong.push(`${what}: transaction ${record?.at} (${record?.mode}, ${record?.stores}): ${
    (record?.asked ?? []).slice(0, 6).map(({ store, method, key }) => `${store}.${method}(${key})`).join(", ")}; ${String(new Error().stack).replace(/\s+/g, " ").slice(0, 600)}`);
  const told = (key) => {
    const plain = key === undefined ? "" : key instanceof IDBKeyRange ? `${String(key.lower)}..${String(key.upper)}` : String(key);
    return plain.replaceAll("\0", "/").slice(0, 120);
  };

  /** Wraps a method; whatever it throws is wrong. */
  const wrap = (owner, name, around) => {
    const plain = owner[name];
    owner[name] = function (...given) {
      return around.call(this, () => plain.apply(this, given), given);
    };
  };
  const must = (record, what, work) => {
    try {
      return work();
    } catch (error) {
      report(`${what} threw ${error.name}`, record);
      throw error;
    }
  };

  wrap(IDBDatabase.prototype, "transaction", function (work, [stores, mode = "readonly"]) {
    const record = { at: transactions.length, mode, stores: [stores].flat().join("+"), asked: [], turns: 0, end: undefined, ms: 0 };
    const transaction = must(record, "opening one", work);
    record.durability = transaction.durability;
    const since = performance.now();
    transactions.push(record);
    records.set(transaction, record);
    open.add(record);
    const ended = (how) => {
      open.delete(record);
      record.ms = performance.now() - since;
      if (how === "aborted" && record.end !== "abort") report("one was aborted by nobody", record);
      if (how === "complete" && record.mode === "readwrite" && record.end !== "commit") report("a writing one ended by itself", record);
      record.end = how;
    };
    transaction.addEventListener("complete", () => ended("complete"));
    transaction.addEventListener("abort", () => ended("aborted"));
    return transaction;
  });

  for (const name of ["commit", "abort"]) {
    wrap(IDBTransaction.prototype, name, function (work) {
      const record = records.get(this);
      const answer = must(record, `${name}()`, work);
      if (record) record.end = name;
      window.idb.ends?.(name, record);
      return answer;
    });
  }
  wrap(IDBTransaction.prototype, "objectStore", function (work) {
    return must(records.get(this), "objectStore()", work);
  });

  for (const method of ["add", "clear", "count", "delete", "get", "getAll", "getAllKeys", "getKey", "openCursor", "openKeyCursor", "put"]) {
    wrap(IDBObjectStore.prototype, method, function (work, given) {
      const record = records.get(this.transaction);
      const answer = must(record, `${method}()`, work);
      if (!record) return answer; // of the layout
      const [key, value] = ["put", "add"].includes(method) ? [given[1], given[0]] : [given[0], undefined];
      const asked = { store: this.name, method, key: told(key), bytes: value?.byteLength, turn: record.turns };
      // What is written, for who looks for it there.
      if (value instanceof Uint8Array) Object.defineProperty(asked, "value", { value: value.slice(), enumerable: false });
      if (record.asked.some((other) => other.store === asked.store && other.method === method && other.key === asked.key && method.startsWith("get") && other.turn !== asked.turn)) {
        report("one asks again what it was told", record);
      }
      record.asked.push(asked);
      window.idb.asks?.(asked, record);
      // The first to hear of it: what whoever asked does then is in the next turn.
      for (const event of ["success", "error"]) answer.addEventListener(event, () => record.turns++);
      return answer;
    });
  }

  // A page that stands still asks for nothing more, and Firefox ends meanwhile what is open: the half of it, if it writes.
  wrap(XMLHttpRequest.prototype, "open", function (work, [, , waits = true]) {
    const unended = [...open].filter(({ mode, end }) => mode === "readwrite" && end === undefined);
    if (!waits) for (const record of unended) report("the page stands still in the middle of one that writes", record);
    return work();
  });
}

/** The recorder in a tab of a browser before its page is loaded; what is in `prepare` runs after it, in the page as well. */
export async function openRecorded(browser, url, prepare = []) {
  const tab = await browser.open("about:blank");
  await tab.page.evaluateOnNewDocument(recordTransactions);
  for (const one of prepare) await tab.page.evaluateOnNewDocument(one);
  await tab.goto(url);
  return tab;
}

/** What was asked since `from`, without what runs still; and all that was wrong. */
export const recorded = (tab, from = 0) => tab.run(async (from) => {
  const { wrong, transactions, open } = window.idb;
  for (const end = Date.now() + 60_000; open.size > 0 && Date.now() < end;) await new Promise((done) => setTimeout(done, 5));
  return { wrong, left: [...open], next: transactions.length, transactions: transactions.slice(from) };
}, from);
