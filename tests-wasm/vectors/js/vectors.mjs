// The files of vectors, and the word list.

import { readFileSync } from "node:fs";

export const read = (name) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), "utf8"));
export const words = readFileSync(new URL("../../../src/crypto/eff_large_wordlist.txt", import.meta.url), "utf8").trimEnd().split("\n");
