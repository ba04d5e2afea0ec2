// Bundles every system of peers/ by itself. Ours is not bundled but served as it is.

import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = fileURLToPath(new URL("..", import.meta.url));
const OUT = path.join(HERE, "node_modules/.bench");
const NOTHING = path.join(HERE, "lib/nothing.js");

/** Makes the bundles; the folder they are in. */
export async function bundle() {
  mkdirSync(path.join(OUT, "wasm"), { recursive: true });
  const common = {
    absWorkingDir: HERE,
    bundle: true,
    conditions: ["browser", "production"],
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
    external: ["/pkg/*"],
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
  await build({ ...common, entryPoints: peers.filter((file) => !fromNode(file)) });
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
