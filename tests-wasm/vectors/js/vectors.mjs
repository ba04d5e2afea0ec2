// The files of vectors, and the word list.

import { readFileSync } from "node:fs";

export const read = (name) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), "utf8"));
/** The list, each word written as how many letters it shares with the one before, and the rest. */
const packed = readFileSync(new URL("../../../src/crypto/eff_large_wordlist.txt", import.meta.url), "utf8");
let before = "";
export const words = [...packed.matchAll(/(\d)([^\d\s]*)/g)].map(([, shared, rest]) => (before = before.slice(0, Number(shared)) + rest));
