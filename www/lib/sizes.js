// Sizes in bytes, as people write and read them.

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** "1.5 MB" for a number of bytes. */
export function sizeOf(bytes) {
  const at = Math.min(UNITS.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** at;
  return `${at > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[at]}`;
}

/** Bytes for "200 MB", "1.5GB" or "4096"; undefined for anything else. */
export function bytesOf(text) {
  const [, number, unit = "B"] = /^\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?i?b?)?\s*$/i.exec(text ?? "") ?? [];
  if (number === undefined) return undefined;
  const power = "kmgt".indexOf(unit[0]?.toLowerCase()) + 1;
  return Math.round(Number(number) * 1000 ** Math.max(0, power));
}
