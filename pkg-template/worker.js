// Runs Argon2id, which takes a second and 64 MiB, away from the page's thread. Started when needed, ended after.

import init, { deriveRoot, requestWords } from "./wasm/core.js";
import { restFrom } from "./rest.js";

const TASKS = { deriveRoot, requestWords };
let ready;

addEventListener("message", async ({ data: { id, module, rest, task, given } }) => {
  try {
    restFrom(rest);
    ready ??= init({ module_or_path: module });
    await ready;
    postMessage({ id, result: TASKS[task](...given) });
  } catch (error) {
    postMessage({ id, error: { code: error?.code, message: String(error?.message ?? error) } });
  }
});
