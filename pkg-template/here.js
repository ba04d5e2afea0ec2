// A note outside of the database, in localStorage under `hypha/here/<database>`: this browser was here before.
// See staying.js.

const NOTE = "hypha/here/";

/** Its name. */
export const noteOf = (database) => NOTE + database;

/** Whether there is one. */
export function wasHere(database) {
  try {
    return database !== undefined && localStorage.getItem(noteOf(database)) !== null;
  } catch {
    return false;
  }
}

/** Whether there is one of any database. */
export function wasAnywhere() {
  try {
    return Object.keys(localStorage).some((name) => name.startsWith(NOTE));
  } catch {
    return false;
  }
}
