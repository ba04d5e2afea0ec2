// The rest of the WebAssembly module: all that is not needed until the first write.
//
// It is brought in by `rest()`, without stopping anybody, before it is needed: the node asks for it when another one is
// heard, the package after the first write, when a node is opened that has something already, and before calls that need
// it. Should it be missing all the same, the first part asks for it in the middle of its work and cannot wait: then it
// is fetched while the page stands still. If that fails too, the work is given up where it stands: nothing of it is
// stored, since what a turn of the node stores is handed over at its end, and this node does nothing any more.

import { parts } from "./wasm/core.js";
import { HyphaError } from "./errors.js";

const IDLE_MS = 1000;
const RETRY_MS = [1000, 3000, 10_000, 30_000];

let source = new URL("./wasm/core_rest.wasm", import.meta.url);
let module; // compiled
let compiling; // promise
let loading; // promise
let idle = false; // whether it comes when the page has nothing else to do
let isHere = parts === undefined;
let broken; // the error after which this node does nothing any more

/** Whether nothing is missing. */
export const restIsHere = () => isHere;

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

/** Where the rest comes from, for a worker: the module itself, or its address. */
export const restSource = () => module ?? String(source);

/** Says from where it comes: an address, or the compiled module. */
export function restFrom(given) {
  if (given instanceof WebAssembly.Module) module = given;
  else source = given;
}

/** Brings it in. Rejects if it cannot be had now; the next call tries again. */
export function rest() {
  if (isHere) return undefined;
  loading ??= load().finally(() => (loading = undefined));
  return loading;
}

/** Brings it in once the page has nothing else to do, or after a while. */
export function restWhenIdle() {
  if (isHere || idle) return;
  idle = true;
  // If it cannot be had, the next write asks again.
  const bring = () => rest()?.catch(() => (idle = false));
  if (globalThis.requestIdleCallback) requestIdleCallback(bring, { timeout: IDLE_MS });
  else setTimeout(bring, IDLE_MS);
}

/** Brings it in, however often that has to be tried; rejects only if it never will be. */
export async function restInTime() {
  for (let turn = 0; !isHere; turn++) {
    try {
      await rest();
    } catch (error) {
      if (error.code !== "OFFLINE") throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(turn, RETRY_MS.length - 1)]));
    }
  }
}

async function load() {
  await compiled();
  if (!isHere) join();
  performance.mark("hypha-rest");
}

/** Fetches and compiles it, so that bringing it in is quick. Rejects if it cannot be had now. */
export function compiled() {
  compiling ??= compile().finally(() => (compiling = undefined));
  return compiling;
}

async function compile() {
  if (module || isHere) return;
  let answer;
  try {
    answer = await fetch(source);
  } catch (error) {
    throw missing(error);
  }
  if (!answer.ok) throw gone(`${source} answered ${answer.status}`);
  try {
    // A host that does not know .wasm serves it under another type, which only the slower way takes.
    const streams = WebAssembly.compileStreaming && answer.headers.get("content-type")?.startsWith("application/wasm");
    module = await (streams ? WebAssembly.compileStreaming(answer) : WebAssembly.compile(await answer.arrayBuffer()));
  } catch (error) {
    throw missing(error);
  }
}

// In the middle of something: the page stands still meanwhile.
function loadNow() {
  try {
    module ??= new WebAssembly.Module(fetchNow());
    join();
    performance.mark("hypha-rest-at-once", { detail: new Error("asked for by").stack });
  } catch (error) {
    broken = error instanceof HyphaError ? error : missing(error);
    for (const stop of stuck) stop(broken);
    throw broken;
  }
}

function fetchNow() {
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

function join() {
  const { imports, exports } = parts;
  const mark = Object.keys(exports).find((name) => name.startsWith("build-"));
  const lent = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    if (from.startsWith("build-") && from !== mark) throw gone("it is of another build");
    // Functions go by where they stand in the table.
    if (from === mark) lent[name] = name.startsWith("_") ? exports[name] : exports._t.get(Number(name));
  }
  new WebAssembly.Instance(module, { a: imports, [mark]: lent });
  isHere = true;
}

const missing = (cause) => new HyphaError("OFFLINE", `the second part of hypha-node's WebAssembly could not be loaded (${cause?.message ?? cause}); ` +
  "go online, and reload the page", { cause });
const gone = (why) => new HyphaError("UPDATE", `the second part of hypha-node's WebAssembly does not fit the first (${why}): ` +
  "a new version was put in its place while this page was open; reload the page");

if (parts) parts.load = loadNow;
