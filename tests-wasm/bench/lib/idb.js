// IndexedDB as promises, for systems that bring no storage of their own, and for its own limits.

/** Opens a database with these stores: name → options. */
export const openDb = (name, stores) => new Promise((resolve, reject) => {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => {
    for (const [store, options] of Object.entries(stores)) request.result.createObjectStore(store, options);
  };
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/** One readwrite transaction; resolves when it is complete. */
export const write = (db, store, work, durability = "relaxed") => new Promise((resolve, reject) => {
  const transaction = db.transaction(store, "readwrite", { durability });
  work(transaction.objectStore(store));
  transaction.oncomplete = () => resolve();
  transaction.onabort = () => reject(transaction.error);
});

/** All values of a store. */
export const all = (db, store) => new Promise((resolve, reject) => {
  const request = db.transaction(store).objectStore(store).getAll();
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/** Resolves when every write transaction on a store that was begun before is complete. */
export const settled = (db, store) => new Promise((resolve, reject) => {
  const transaction = db.transaction(store, "readonly");
  transaction.objectStore(store).count();
  transaction.oncomplete = () => resolve();
  transaction.onabort = () => reject(transaction.error);
});
