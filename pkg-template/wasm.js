// Loads the WebAssembly module: once, on first use, and the same one for the page and its workers.

import * as core from "./wasm/core.js";
import { HyphaError, toError } from "./errors.js";
import { restFrom } from "./rest.js";

let loading; // promise of { core, module }

/** The module's exports. Loads them if nothing has yet, from beside this file unless `init` said from where. */
export async function wasm(source, rest) {
  if (rest !== undefined) restFrom(rest);
  loading ??= load(source);
  const mine = loading;
  try {
    return await mine;
  } catch (error) {
    // The next call tries again: the network may have been away.
    if (loading === mine) loading = undefined;
    throw error;
  }
}

async function load(source = new URL("./wasm/core_bg.wasm", import.meta.url)) {
  if (typeof WebAssembly !== "object") {
    throw new HyphaError("UNSUPPORTED", "this browser has no WebAssembly; use a newer one");
  }
  try {
    const module = await compile(await source);
    await core.default({ module_or_path: module });
    return { core, module };
  } catch (error) {
    throw toError(error instanceof Error ? new Error(`could not load hypha-node's WebAssembly: ${error.message}`, { cause: error }) : error);
  }
}

async function compile(source) {
  if (source instanceof WebAssembly.Module) return source;
  if (typeof source === "string" || source instanceof URL) source = await fetch(source);
  if (!(source instanceof Response)) return WebAssembly.compile(source);
  if (!source.ok) throw new Error(`${source.url} answered ${source.status}`);
  // A host that does not know .wasm serves it under another type, which only the slower way takes.
  const streams = WebAssembly.compileStreaming && source.headers.get("content-type")?.startsWith("application/wasm");
  return streams ? WebAssembly.compileStreaming(source) : WebAssembly.compile(await source.arrayBuffer());
}

/** Operations as they travel between tabs; what cannot be stored is named. */
export function encodedOps(core, ops) {
  try {
    return core.encodeOps(ops);
  } catch (error) {
    throw toError(error, "BAD_INPUT");
  }
}
