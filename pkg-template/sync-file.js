// A sync file: what one node has of a space and another may lack, carried by hand. Its parts are those of archive.js.

import { importParts } from "./archive.js";

/** Everything that the node has of a space, or what is past a clock: `{ [writer]: length }`. */
export async function exportSync(call, since) {
  const pieces = [];
  for (let next; ;) {
    const piece = await call("syncPiece", since, next);
    pieces.push(new Blob([piece.bytes]));
    next = piece.next;
    if (!next) return new Blob(pieces, { type: "application/x-hypha" });
  }
}

/** Takes in all that is right in one; `{ taken, fresh }`: parts that were right, and those of them that were new. */
export const importSync = (node, file) => importParts(node, file, "hypha synced", "importSync() takes the file, a Blob, that exportSync() gave");
