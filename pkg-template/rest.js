// The later parts of the WebAssembly module: all that a page does not need before somebody confirms a set-up.
//
//   core_bg      the first part: a page that is opened, words, keys
//   core_setup   what a set-up runs besides; asked for as it begins, and there before the keys are derived
//   core_posts   what posts run, and a page that is opened again; asked for once the set-up is stored
//   core_rest    all else
//
// Each needs those before it. They are brought in by `upTo()` and `rest()`, without stopping anybody, before they are
// needed: the node asks for the rest when another one is heard, the package in a calm moment after a set-up or a write, when
// a node is opened that has something already, and before calls that need it. Should a part be missing all the same, the
// module asks for it in the middle of its work and cannot wait: then it is fetched while the page stands still. If that
// fails too, the work is given up where it stands: nothing of it is stored, since what a turn of the node stores is handed
// over at its end, and this node does nothing any more.

import { parts } from "./wasm/core.js";
import { HyphaError } from "./errors.js";

const IDLE_MS = 1000;
const RETRY_MS = [1000, 3000, 10_000, 30_000];

export const SETUP = 1;
export const POSTS = 2;
export const ALL = 3;

const sources = [undefined, new URL("./wasm/core_setup.wasm", import.meta.url), new URL("./wasm/core_posts.wasm", import.meta.url),
  new URL("./wasm/core_rest.wasm", import.meta.url)];
const modules = []; // compiled
const compiling = []; // promises
let level = parts === undefined ? ALL : 0; // the last part that is here
let idle = false; // whether the rest comes when the page has nothing else to do
let broken; // the error after which this node does nothing any more

/** Whether nothing is missing. */
export const restIsHere = () => level === ALL;

/** Whether a part is here, and all before it. */
export const has = (part) => level >= part;

/** Throws if the rest was missing in the middle of something. */
export function notBroken() {
  if (broken) throw broken;
}

export const isBroken = () => broken !== undefined;

const stuck = new Set(); // what to call when it breaks

/** The same promise, which rejects when the rest turns out to be missing in the middle of it. */
export async function unlessBroken(promise) {
  let stop;
  const breaks = new Promise((_, reject) => stuck.add((stop = reject)));
  try {
    return await Promise.race([promise, breaks]);
  } finally {
    stuck.delete(stop);
  }
}

/** Where the later parts come from, for a worker: of each the module itself, or its address. */
export const restSource = () => sources.slice(1).map((source, at) => modules[at + 1] ?? String(source));

/** Says from where they come: a list with an address, or the compiled module, of each. */
export function restFrom(given) {
  if (!Array.isArray(given) || given.length !== ALL) throw new HyphaError("BAD_INPUT", `rest must be a list of ${ALL}: set-up, posts, rest`);
  given.forEach((one, at) => ((one instanceof WebAssembly.Module ? modules : sources)[at + 1] = one));
}

/** Brings in all up to a part. Rejects if it cannot be had now; the next call tries again. */
export const upTo = (part) => (has(part) ? undefined : bring(part));

/** Brings in all. */
export const rest = () => upTo(ALL);

/** Brings in all once the page has nothing else to do, or after a while. */
export function restWhenIdle() {
  if (restIsHere() || idle) return;
  idle = true;
  // If it cannot be had, the next write asks again.
  const start = () => rest()?.catch(() => (idle = false));
  if (globalThis.requestIdleCallback) requestIdleCallback(start, { timeout: IDLE_MS });
  else setTimeout(start, IDLE_MS);
}

/** Brings in all, however often that has to be tried; rejects only if it never will be. */
export async function restInTime() {
  for (let turn = 0; !restIsHere(); turn++) {
    try {
      await rest();
    } catch (error) {
      if (error.code !== "OFFLINE") throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(turn, RETRY_MS.length - 1)]));
    }
  }
}

async function bring(last) {
  await compiled(last);
  while (level < last) join(level + 1);
}

/** Fetches and compiles all up to a part, so that bringing it in is quick. Rejects if it cannot be had now. */
export async function compiled(last = ALL) {
  const wanted = [];
  for (let part = level + 1; part <= last; part++) {
    wanted.push((compiling[part] ??= compile(part).finally(() => (compiling[part] = undefined))));
  }
  await Promise.all(wanted);
}

async function compile(part) {
  if (modules[part]) return;
  try {
    modules[part] = await fetched(sources[part]);
  } catch (error) {
    if (error instanceof HyphaError) throw error;
    // A network that becomes another one ends what is under way: the next attempt tells whether there is one.
    modules[part] = await fetched(sources[part]).catch((error) => {
      throw error instanceof HyphaError ? error : missing(error);
    });
  }
}

async function fetched(source) {
  const answer = await fetch(source);
  if (!answer.ok) throw gone(`${source} answered ${answer.status}`);
  // A host that does not know .wasm serves it under another type, which only the slower way takes.
  const streams = WebAssembly.compileStreaming && answer.headers.get("content-type")?.startsWith("application/wasm");
  return streams ? WebAssembly.compileStreaming(answer) : WebAssembly.compile(await answer.arrayBuffer());
}

// In the middle of something: the page stands still meanwhile.
function loadNow(last) {
  try {
    while (level < last) {
      const part = level + 1;
      const module = modules[part] ?? new WebAssembly.Module(fetchNow(sources[part]));
      // Firefox goes on with other things while a page waits like that: it may have come by the other way.
      if (level >= part) continue;
      modules[part] = module;
      join(part);
    }
    performance.mark("hypha-rest-at-once", { detail: new Error("asked for by").stack });
  } catch (error) {
    broken = error instanceof HyphaError ? error : missing(error);
    for (const stop of stuck) stop(broken);
    throw broken;
  }
}

function fetchNow(source) {
  const request = new XMLHttpRequest();
  request.open("GET", source, false);
  // A page may not ask for bytes when it does not wait; each character is one of them then.
  const asText = globalThis.document !== undefined;
  if (asText) request.overrideMimeType("text/plain; charset=x-user-defined");
  else request.responseType = "arraybuffer";
  request.send();
  if (request.status !== 200) throw gone(`${source} answered ${request.status}`);
  return asText ? Uint8Array.from(request.responseText, (character) => character.charCodeAt(0) & 0xff) : request.response;
}

function join(part) {
  const { imports, exports } = parts;
  const mark = Object.keys(exports).find((name) => name.startsWith("build-"));
  for (const { module: from } of WebAssembly.Module.imports(modules[part])) {
    if (from.startsWith("build-") && from !== mark) throw gone("it is of another build");
  }
  // Functions are asked for in the order in which they stand in the table, by how many are left out before each.
  let next = 0;
  const lent = new Proxy({}, { get: (_, leftOut) => exports._t.get((next += Number(leftOut) + 1) - 1) });
  new WebAssembly.Instance(modules[part], { a: imports, b: { l: loadNow }, f: lent, [mark]: exports });
  level = part;
  performance.mark(["", "hypha-setup", "hypha-posts", "hypha-rest"][part]);
}

const missing = (cause) => new HyphaError("OFFLINE", `a later part of hypha-node's WebAssembly could not be loaded (${cause?.message ?? cause}); ` +
  "go online, and reload the page", { cause });
const gone = (why) => new HyphaError("UPDATE", `a later part of hypha-node's WebAssembly does not fit the first (${why}): ` +
  "a new version was put in its place while this page was open; reload the page");

if (parts) parts.load = loadNow;
