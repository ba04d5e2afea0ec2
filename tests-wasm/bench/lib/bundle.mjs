// Bundles every system of peers/ by itself, ours as its README says: worker and WebAssembly beside the bundle.

import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = fileURLToPath(new URL("..", import.meta.url));
const OUT = path.join(HERE, "node_modules/.bench");
const PACKAGE = path.join(HERE, "../../pkg");
const NOTHING = path.join(HERE, "lib/nothing.js");

/** Makes the bundles; the folder they are in. */
export async function bundle() {
  mkdirSync(path.join(OUT, "wasm"), { recursive: true });
  const common = {
    absWorkingDir: HERE,
    bundle: true,
    conditions: ["browser", "production"],
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
    format: "esm",
    logLevel: "error",
    mainFields: ["browser", "module", "main"],
    minify: true,
    outdir: OUT,
    platform: "browser",
    target: "es2022",
  };
  const peers = readdirSync(path.join(HERE, "peers")).map((file) => path.join("peers", file));
  const fromNode = (file) => file.endsWith("hypercore.js");
  const ours = (file) => file.endsWith("hypha.js");
  await build({ ...common, entryPoints: peers.filter((file) => !fromNode(file) && !ours(file)) });
  await build({
    ...common,
    entryPoints: [...peers.filter(ours).map((file) => ({ in: file, out: path.basename(file, ".js") })), { in: path.join(PACKAGE, "worker.js"), out: "worker" }],
    splitting: true,
    plugins: [{
      name: "the package as it was built",
      setup: (esbuild) => esbuild.onResolve({ filter: /^\/pkg\// }, (asked) => ({ path: path.join(PACKAGE, asked.path.slice("/pkg/".length)) })),
    }],
  });
  for (const name of readdirSync(path.join(PACKAGE, "wasm")).filter((name) => name.endsWith(".wasm"))) {
    copyFileSync(path.join(PACKAGE, "wasm", name), path.join(OUT, "wasm", name));
  }
  await build({
    ...common,
    entryPoints: peers.filter(fromNode),
    inject: [path.join(HERE, "lib/node-globals.js")],
    alias: {
      crypto: NOTHING,
      fs: NOTHING,
      module: NOTHING,
      os: "os-browserify",
      path: "path-browserify",
      "random-access-file": NOTHING,
      "sodium-native": "sodium-javascript",
      stream: "stream-browserify",
    },
  });
  for (const [from, to] of [["@automerge/automerge/dist/automerge.wasm", "automerge.wasm"], ["loro-crdt/web/loro_wasm_bg.wasm", "loro.wasm"]]) {
    copyFileSync(path.join(HERE, "node_modules", from), path.join(OUT, "wasm", to));
  }
  return OUT;
}
