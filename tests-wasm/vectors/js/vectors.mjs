// The files of vectors, and the word list.

import { readFileSync } from "node:fs";

export const read = (name) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), "utf8"));
/** EFF's large list, without the dice numbers in front of each word; its SHA-256 with them is known. */
export const words = readFileSync(new URL("../words.txt", import.meta.url), "utf8").trimEnd().split("\n");
