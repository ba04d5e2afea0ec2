// How much room is left, found out by asking for it: for browsers that do not say.
//
// Chromium tells every page of ten gigabytes (or of a small disk's size) beyond what is used, whatever there is. But it says
// no to a file that is longer than what is left: one of the page's own is made so long and given up again. Nothing is written.

const MOST = 256 << 20; // bytes: who uses more is not asked to have a part of that left
const FILE = "hypha-room";

/**
 * The room that there is, bytes, if of what is used more than one of these parts is used; otherwise undefined, as where it
 * cannot be found out. Largest part first.
 */
export async function roomFor(usage, parts) {
  let folder;
  try {
    folder = await navigator.storage.getDirectory();
    for (const part of parts) {
      const wanted = Math.min(Math.floor(usage / part - usage), MOST);
      if (!(await isLeft(folder, wanted))) return usage + wanted;
    }
  } catch { /* Such files are not to be had here. */ } finally {
    // Another tab may be at it.
    await folder?.removeEntry(FILE).catch(() => {});
  }
  return undefined;
}

async function isLeft(folder, bytes) {
  const file = await folder.getFileHandle(FILE, { create: true });
  const stream = await file.createWritable();
  try {
    await stream.truncate(bytes);
    return true;
  } catch (error) {
    if (error.name === "QuotaExceededError") return false;
    throw error;
  } finally {
    await stream.abort().catch(() => {});
  }
}
