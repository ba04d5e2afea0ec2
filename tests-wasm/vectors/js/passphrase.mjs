// Passphrases and domains, written from the protocol text.

import { domainToASCII } from "node:url";
import { words } from "./vectors.mjs";

const hyphenated = words.filter((word) => word.includes("-"));
const known = new Set(words);

/** What is derived from, or an object that says what is wrong. */
export const passphrase = (typed) => {
  const found = [];
  for (const chunk of typed.normalize("NFKD").toLowerCase().split(/\p{White_Space}+/u)) {
    const parts = chunk.split("-").filter(Boolean);
    while (parts.length) {
      const two = parts.slice(0, 2).join("-");
      const whole = parts.length > 1 && hyphenated.includes(two);
      found.push(whole ? two : parts[0]);
      parts.splice(0, whole ? 2 : 1);
    }
  }
  if (found.length > 64) return { count: found.length };
  const wrong = found.findIndex((word) => !known.has(word));
  if (wrong >= 0) return { position: wrong + 1, got: [...found[wrong]].slice(0, 32).join(""), nearest: nearest(found[wrong]) };
  return found.length < 8 ? { count: found.length } : found.join(" ");
};

/** The first word of the list that is fewest edits away. */
const nearest = (text) => {
  const from = [...text].slice(0, 24);
  let best;
  for (const word of words) {
    const edits = distance(from, [...word]);
    if (!best || edits < best.edits) best = { edits, word };
  }
  return best.word;
};

const distance = (from, to) => {
  let row = from.map((_, i) => i + 1);
  row.unshift(0);
  for (let j = 1; j <= to.length; j++) {
    const next = [j];
    for (let i = 1; i <= from.length; i++)
      next[i] = Math.min(next[i - 1] + 1, row[i] + 1, row[i - 1] + (from[i - 1] === to[j - 1] ? 0 : 1));
    row = next;
  }
  return row.at(-1);
};

/** The canonical host of what was typed, or undefined. */
export const domain = (typed) => {
  const parts = /^(.*?)(:[0-9]*)?$/su.exec(typed.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, ""));
  let host = /^[^:]*$|^\[.*\]$/su.test(parts[1]) ? parts[1] : parts[0];
  if (/[^\0-\x7f]/.test(host)) host = domainToASCII(host);
  return ascii(host);
};

/** The same of what is ASCII already: port off, one dot, one `www.`. */
export const ascii = (typed) => {
  let host = typed.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "").toLowerCase();
  host = /^(\[.*\]|[^:]*)(:[0-9]*)?$/su.exec(host)?.[1] ?? host;
  host = host.replace(/\.$/, "").replace(/^www\./, "");
  const form = host.startsWith("[") && host.endsWith("]") ? /^\[[0-9a-f.:]*\]$/ : /^[a-z0-9._-]+$/;
  return form.test(host) && host.length <= 253 ? host : undefined;
};
