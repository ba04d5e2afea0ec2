// Draws a QR code (ISO/IEC 18004) of a text: byte mode, error correction level L, any of the 40 sizes, the mask of lowest
// penalty. Some 130 lines of our own, since a page without a build step has no place for a library.

import { svg } from "./dom.js";

// Per version: error correction bytes of a block, and blocks.
const CORRECTION = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28];
const BLOCKS = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25];
const MASKS = [
  (x, y) => (x + y) % 2, (_, y) => y % 2, (x) => x % 3, (x, y) => (x + y) % 3, (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2,
  (x, y) => ((x * y) % 2) + ((x * y) % 3), (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2, (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2,
];

/** The code as a picture that scales, with its quiet zone. */
export function picture(text, label) {
  const rows = modules(text);
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  const size = rows.length;
  return svg("svg", { class: "qr", viewBox: `-4 -4 ${size + 8} ${size + 8}`, role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    svg("rect", { x: -4, y: -4, width: size + 8, height: size + 8, fill: "#fff" }), svg("path", { d: path, fill: "#000" }));
}

/** Rows of modules, true for dark. Throws for more than about 2,900 bytes. */
export function modules(text) {
  const bytes = new TextEncoder().encode(text);
  const version = Array.from({ length: 40 }, (_, at) => at + 1).find((version) => bytes.length <= room(version) - (version < 10 ? 2 : 3));
  if (!version) throw new RangeError("too much for one QR code");
  const size = version * 4 + 17;
  const grid = Array.from({ length: size }, () => new Array(size).fill(undefined)); // undefined: for data
  const set = (x, y, dark) => x >= 0 && y >= 0 && x < size && y < size && (grid[y][x] = dark);
  fixed(version, size, set, grid);
  const free = grid.map((row) => row.map((one) => one === undefined));
  fill(grid, free, size, codewords(bytes, version));
  let best;
  MASKS.forEach((mask, number) => {
    const masked = grid.map((row, y) => row.map((dark, x) => (free[y][x] ? dark !== (mask(x, y) === 0) : dark)));
    format(masked, size, number);
    const cost = penalty(masked);
    if (!best || cost < best.cost) best = { cost, masked };
  });
  return best.masked;
}

function raw(version) {
  let bits = (16 * version + 128) * version + 64;
  if (version > 1) {
    const marks = Math.floor(version / 7) + 2;
    bits -= (25 * marks - 10) * marks - 55 + (version > 6 ? 36 : 0);
  }
  return Math.floor(bits / 8);
}

const correction = (version) => CORRECTION[version - 1] ?? 30;
const room = (version) => raw(version) - correction(version) * BLOCKS[version - 1];

function fixed(version, size, set, grid) {
  for (let at = 0; at < size; at++) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [cx, cy] of [[3, 3], [size - 4, 3], [3, size - 4]]) {
    for (let dy = -4; dy <= 4; dy++) for (let dx = -4; dx <= 4; dx++) set(cx + dx, cy + dy, ![2, 4].includes(Math.max(Math.abs(dx), Math.abs(dy))));
  }
  const marks = version === 1 ? 0 : Math.floor(version / 7) + 2;
  const step = version === 32 ? 26 : Math.ceil((version * 4 + 4) / (marks * 2 - 2)) * 2;
  const places = Array.from({ length: marks }, (_, at) => (at === 0 ? 6 : size - 7 - (marks - 1 - at) * step));
  places.forEach((x, i) => places.forEach((y, j) => {
    if ((i === 0 && j === 0) || (i === 0 && j === marks - 1) || (i === marks - 1 && j === 0)) return;
    for (let dy = -2; dy <= 2; dy++) for (let dx = -2; dx <= 2; dx++) set(x + dx, y + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
  }));
  format(grid, size, 0);
  if (version < 7) return;
  let rest = version;
  for (let at = 0; at < 12; at++) rest = (rest << 1) ^ ((rest >>> 11) * 0x1f25);
  const bits = (version << 12) | rest;
  for (let at = 0; at < 18; at++) {
    const [a, b] = [size - 11 + (at % 3), Math.floor(at / 3)];
    set(a, b, ((bits >>> at) & 1) === 1);
    set(b, a, ((bits >>> at) & 1) === 1);
  }
}

function format(grid, size, mask) {
  const data = (1 << 3) | mask; // level L
  let rest = data;
  for (let at = 0; at < 10; at++) rest = (rest << 1) ^ ((rest >>> 9) * 0x537);
  const bits = ((data << 10) | rest) ^ 0x5412;
  const bit = (at) => ((bits >>> at) & 1) === 1;
  for (let at = 0; at < 8; at++) {
    grid[at < 6 ? at : at + 1][8] = bit(at);
    grid[8][size - 1 - at] = bit(at);
  }
  for (let at = 8; at < 15; at++) {
    grid[8][at === 8 ? 7 : 14 - at] = bit(at);
    grid[size - 15 + at][8] = bit(at);
  }
  grid[size - 8][8] = true;
}

function codewords(bytes, version) {
  const total = room(version);
  const bits = [0, 1, 0, 0];
  const push = (value, count) => {
    for (let at = count - 1; at >= 0; at--) bits.push((value >>> at) & 1);
  };
  push(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) push(byte, 8);
  push(0, Math.min(4, total * 8 - bits.length));
  while (bits.length % 8) bits.push(0);
  const data = [];
  for (let at = 0; at < bits.length; at += 8) data.push(bits.slice(at, at + 8).reduce((sum, bit) => sum * 2 + bit, 0));
  for (let pad = 0xec; data.length < total; pad ^= 0xec ^ 0x11) data.push(pad);
  const [blocks, extra] = [BLOCKS[version - 1], correction(version)];
  const short = Math.floor(raw(version) / blocks) - extra;
  const long = raw(version) % blocks;
  const divisor = generator(extra);
  const parts = [];
  for (let at = 0, from = 0; at < blocks; at++) {
    const length = short + (at >= blocks - long ? 1 : 0);
    const part = data.slice(from, (from += length));
    parts.push({ part, check: remainder(part, divisor) });
  }
  const out = [];
  for (let at = 0; at <= short; at++) for (const { part } of parts) if (at < part.length) out.push(part[at]);
  for (let at = 0; at < extra; at++) for (const { check } of parts) out.push(check[at]);
  return out;
}

function times(a, b) {
  let product = 0;
  for (let at = 7; at >= 0; at--) product = (product << 1) ^ ((product >>> 7) * 0x11d) ^ (((b >>> at) & 1) * a);
  return product;
}

function generator(degree) {
  const poly = [...new Array(degree - 1).fill(0), 1];
  for (let at = 0, root = 1; at < degree; at++, root = times(root, 2)) {
    for (let one = 0; one < degree; one++) poly[one] = times(poly[one], root) ^ (poly[one + 1] ?? 0);
  }
  return poly;
}

function remainder(data, divisor) {
  const rest = divisor.map(() => 0);
  for (const byte of data) {
    const factor = byte ^ rest.shift();
    rest.push(0);
    divisor.forEach((one, at) => (rest[at] ^= times(one, factor)));
  }
  return rest;
}

function fill(grid, free, size, words) {
  let at = 0;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++) {
      const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (!free[y][x]) continue;
        grid[y][x] = ((words[at >>> 3] >>> (7 - (at & 7))) & 1) === 1;
        at++;
      }
    }
  }
}

function penalty(grid) {
  const size = grid.length;
  let cost = 0;
  let dark = 0;
  for (const rows of [grid, grid[0].map((_, x) => grid.map((row) => row[x]))]) {
    for (const row of rows) {
      const line = row.map((one) => (one ? "1" : "0")).join("");
      for (const [run] of line.matchAll(/0{5,}|1{5,}/g)) cost += run.length - 2;
      for (let at = 0; at + 11 <= size; at++) if (["10111010000", "00001011101"].includes(line.slice(at, at + 11))) cost += 40;
    }
  }
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      if (grid[y][x]) dark++;
      if (x > 0 && y > 0 && grid[y][x] === grid[y][x - 1] && grid[y][x] === grid[y - 1][x] && grid[y][x] === grid[y - 1][x - 1]) cost += 3;
    }
  }
  return cost + Math.floor(Math.abs(dark * 20 - size * size * 10) / (size * size)) * 10;
}
