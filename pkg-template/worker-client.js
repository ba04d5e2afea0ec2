// The page's end of worker.js.

import { HyphaError, toError } from "./errors.js";
import { restSource } from "./rest.js";
import { wasm } from "./wasm.js";

let worker;
let last = 0;
const waiting = new Map(); // id -> { resolve, reject }

/** The 32-byte root secret. Whoever gets it wipes it. */
export const deriveRoot = (passphrase, domain) => run("deriveRoot", passphrase, domain);

/** The four words of a sign-in request's hash. */
export const requestWords = (hash) => run("requestWords", hash);

async function run(task, ...given) {
  const { module } = await wasm();
  worker ??= start();
  const id = ++last;
  const answer = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  worker.postMessage({ id, module, rest: restSource(), task, given });
  try {
    return await answer;
  } finally {
    waiting.delete(id);
    // With it go its 64 MiB, and the passphrase that it was told.
    if (waiting.size === 0) stop();
  }
}

function start() {
  let started;
  try {
    started = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "hypha-keys" });
  } catch (error) {
    throw noWorker(error);
  }
  started.addEventListener("message", ({ data: { id, result, error } }) => {
    if (error) waiting.get(id)?.reject(toError(error));
    else waiting.get(id)?.resolve(result);
  });
  started.addEventListener("error", (event) => {
    event.preventDefault();
    fail(noWorker(event.message));
  });
  started.addEventListener("messageerror", () => fail(noWorker("the module could not be handed to it")));
  return started;
}

function fail(error) {
  for (const { reject } of waiting.values()) reject(error);
  stop();
}

function stop() {
  worker?.terminate();
  worker = undefined;
}

const noWorker = (why) => new HyphaError("UNSUPPORTED",
  `keys are derived in a module worker, which this page cannot start (${why?.message ?? why ?? "no reason given"}); use a newer browser, ` +
  "and let the page's Content-Security-Policy allow worker-src 'self' and script-src 'wasm-unsafe-eval'");
