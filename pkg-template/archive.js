// The whole node as one file, and back. Its layout, and why nothing in it has to be trusted, is in src/node/export.rs.

import { HyphaError } from "./errors.js";

const MAGIC = "hypha export";
const VERSION = 1;
const WHAT = { [MAGIC]: "this file is a back-up of a whole node: import() takes it", "hypha synced": "this file is a sync file of one space: importSync() takes it" };
const SUM = 16; // bytes of a checksum
const LARGEST = 2 * 1024 * 1024; // bytes of a part's body
const READ = 1024 * 1024; // bytes that are read at a time
const TOGETHER = 16; // parts that are stored at once

/** Everything that the node has, without a key of its own, piece by piece. */
export async function exportNode(node) {
  const pieces = [];
  for (let next; ;) {
    const piece = await node.call("exportPiece", next);
    // A blob of its own: the browser may put it on the disk.
    pieces.push(new Blob([piece.bytes]));
    next = piece.next;
    if (!next) return new Blob(pieces, { type: "application/x-hypha" });
  }
}

/** Takes in all that is right in a file; then says what was not. */
export async function importNode(node, file) {
  await importParts(node, file, MAGIC, "import() takes the file, a Blob, that export() gave");
}

/** The same for any file of parts that begins with `magic`; `{ taken, fresh }`: parts that were right, and those that were new. */
export async function importParts(node, file, magic, hint) {
  if (!(file instanceof Blob)) throw new HyphaError("BAD_INPUT", hint);
  const head = new Uint8Array(await file.slice(0, MAGIC.length + 1).arrayBuffer());
  const found = new TextDecoder().decode(head.subarray(0, MAGIC.length));
  if (found !== magic) throw new HyphaError("BAD_INPUT", WHAT[found] ?? `this is not such a file: ${hint}`);
  if (head[MAGIC.length] !== VERSION) throw new HyphaError("UNSUPPORTED", "a newer version of hypha-node made this file; use that one to import it");
  const wrong = { damaged: 0, why: undefined };
  let whole = false;
  let [all, taken, fresh] = [0, 0, 0];
  let early = []; // where parts stand that rest on others

  const take = async (parts) => {
    const results = await Promise.allSettled(parts.map(({ part }) => node.call("importPart", part)));
    results.forEach(({ value, reason }, at) => {
      if (reason && reason.code !== "CORRUPT") throw reason;
      if (value === "later") early.push(parts[at].start);
      else if (reason) {
        wrong.damaged++;
        wrong.why ??= reason.message;
      } else {
        taken++;
        if (value === "new") fresh++;
      }
    });
  };
  const takeAll = async (parts) => {
    let some = [];
    for await (const part of parts) {
      some.push(part);
      if (some.length === TOGETHER) await take(some.splice(0));
    }
    await take(some);
  };

  await takeAll((async function* () {
    for await (const one of partsOf(file)) {
      all++;
      // The last one says how many there are.
      whole = one.part[SUM] === 4 && new DataView(one.part.buffer, one.part.byteOffset).getUint32(SUM + 1, true) === all - 1;
      yield one;
    }
  })());
  while (early.length > 0) {
    const again = early;
    early = [];
    await takeAll((async function* () {
      for (const start of again) yield* one(partsOf(file, start));
    })());
    if (early.length === again.length) break;
  }
  if (whole && wrong.damaged === 0 && early.length === 0) return { taken, fresh };
  const said = [
    wrong.damaged > 0 && `${wrong.damaged} of its parts are damaged (${wrong.why})`,
    early.length > 0 && `${early.length} rest on others that are missing`,
    !whole && "its end is missing",
  ].filter(Boolean);
  throw new HyphaError("CORRUPT", `this file is not whole: ${said.join(", ")}. The other ${taken} parts were imported; what is missing will come from other devices`);
}

/** Parts from a place on, each with the place where it begins. Ends where the file makes no sense any more. */
async function* partsOf(file, start = MAGIC.length + 1) {
  let buffer = new Uint8Array(0);
  let [at, end] = [0, start]; // in the buffer; of the buffer in the file
  const have = async (count) => {
    while (buffer.length - at < count && end < file.size) {
      const more = new Uint8Array(await file.slice(end, end + Math.max(READ, count)).arrayBuffer());
      end += more.length;
      const joined = new Uint8Array(buffer.length - at + more.length);
      joined.set(buffer.subarray(at));
      joined.set(more, buffer.length - at);
      [buffer, at] = [joined, 0];
    }
    return buffer.length - at >= count;
  };
  while (await have(4)) {
    const size = new DataView(buffer.buffer, at).getUint32(0, true);
    if (size === 0 || size > LARGEST || !(await have(4 + SUM + size))) return;
    yield { start: end - buffer.length + at, part: buffer.slice(at + 4, at + 4 + SUM + size) };
    at += 4 + SUM + size;
  }
}

async function* one(parts) {
  for await (const part of parts) return void (yield part);
}
