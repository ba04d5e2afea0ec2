// Guards what people get from npm: the packed files and nothing else, an import that works where there is no browser,
// types that hold, and bundles of three bundlers, with no plug-in, that run.
//
// All of it is about the tarball of `npm pack`, installed into a folder of its own; `pkg/` itself is never imported.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build as esbuild } from "esbuild";
import puppeteer from "puppeteer-core";
import { build as vite, createServer as viteServer } from "vite";
import webpack from "webpack";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const PKG = path.join(HERE, "../../pkg");
const BIN = path.join(HERE, "node_modules/.bin");
const CHROMIUM = process.env.HYPHA_CHROMIUM ?? "/usr/bin/chromium";
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };

// What an author of a page writes. Words come from WebAssembly, a sign-up from the worker too.
const APP = `import { Hypha, HyphaError } from "hypha-node";
globalThis.tried = (async () => {
  const words = await Hypha.generatePassphrase();
  const hypha = await Hypha.open({ storage: "memory" });
  const home = await hypha.signUp(words, { device: "Bundled" });
  await home.put("a", { n: 1 });
  const { value } = await home.get("a");
  const garden = await hypha.createSpace({ title: "Garden" }); // asks for the second part of the module
  const code = await home.put("", 1).then(() => "none", (error) => error instanceof HyphaError && error.code);
  await hypha.close();
  return { words, n: value.n, key: home.key, code, title: garden.title };
})();
`;
const page = (script) => `<!doctype html><meta charset="utf-8"><title>bundle</title><link rel="icon" href="data:,">
<script type="module" src="${script}"></script>`;
// The policy that the package's README asks for, and no more.
const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' wss:; img-src data:";

const running = promisify(execFile);
const npm = process.platform === "win32" ? "npm.cmd" : "npm";

let work; // a folder that ends with this file
let packed; // what `npm pack` says of the tarball
let app; // a folder of an author, with the tarball installed
let browser;

/** Runs a program; fails with all that it said. */
async function run(program, args, cwd) {
  try {
    const { stdout } = await running(program, args, { cwd, maxBuffer: 1 << 26, timeout: 600_000 });
    return stdout;
  } catch (error) {
    assert.fail(`${path.basename(program)} ${args.join(" ")}: ${error.message}\n${error.stdout}\n${error.stderr}`);
  }
}

before(async () => {
  work = mkdtempSync(path.join(tmpdir(), "hypha-package-"));
  [packed] = JSON.parse(await run(npm, ["pack", "--json", "--ignore-scripts", "--pack-destination", work], PKG));
  app = path.join(work, "app");
  mkdirSync(app);
  writeFileSync(path.join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  writeFileSync(path.join(app, "app.js"), APP);
  writeFileSync(path.join(app, "index.html"), page("./app.js"));
  // It depends on nothing, so nothing is asked of the registry.
  await run(npm, ["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", path.join(work, packed.filename)], app);
});

const PARTS = ["core_bg", "core_posts", "core_rest", "core_setup"];

after(async () => {
  await browser?.close();
  rmSync(work, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

test("the tarball holds what is needed, once, and nothing else", (t) => {
  const files = packed.files.map((file) => file.path);
  for (const name of ["package.json", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "index.js", "index.d.ts", "worker.js"]) {
    assert.ok(files.includes(name), `${name} is missing`);
  }
  // Parts of one module, of which a page loads all but the first later.
  assert.deepEqual(files.filter((name) => name.endsWith(".wasm")).sort(), PARTS.map((name) => `wasm/${name}.wasm`));
  const strange = files.filter((name) => !/^(package\.json|README\.md|LICENSE-(MIT|APACHE)|[a-z-]+\.js|index\.d\.ts|wasm\/core(_(bg|posts|rest|setup)\.wasm|\.js))$/.test(name));
  assert.deepEqual(strange, []);
  assert.deepEqual(files.filter((name) => /test|spec|\.(ts|map|rs)$/.test(name)), ["index.d.ts"]);
  const { dependencies, scripts, version } = JSON.parse(readFileSync(path.join(PKG, "package.json"), "utf8"));
  assert.deepEqual([dependencies, scripts, version === packed.version], [undefined, undefined, true]);
  t.diagnostic(`${files.length} files, ${packed.size} bytes packed, ${packed.unpackedSize} unpacked`);
});

test("nothing of the adversary that tests are made with is in the tarball", () => {
  const root = path.join(app, "node_modules/hypha-node");
  // Its methods are of the class that the glue has; the words of the module itself are looked at too.
  for (const { path: file } of packed.files) {
    assert.ok(!/hostile/i.test(readFileSync(path.join(root, file), "latin1")), `${file} says “hostile”`);
  }
  assert.match(readFileSync(path.join(root, "wasm/core.js"), "latin1"), /class Core\b/);
});

test("every file that another one names is in the tarball", () => {
  const root = path.join(app, "node_modules/hypha-node");
  const files = packed.files.map((file) => file.path);
  let count = 0;
  for (const file of files.filter((name) => name.endsWith(".js"))) {
    for (const [, named] of readFileSync(path.join(root, file), "utf8").matchAll(/(?:from |import |new URL\()["'](\.[^"']+)["']/g)) {
      assert.ok(files.includes(path.posix.join(path.posix.dirname(file), named)), `${file} names ${named}`);
      count++;
    }
  }
  assert.ok(count > 10, `${count} names were found`);
});

test("whatever the package asks of a node, a tab may ask of the one that runs it", () => {
  const root = path.join(app, "node_modules/hypha-node");
  const [, list] = readFileSync(path.join(root, "local-node.js"), "utf8").match(/const METHODS = new Set\(\[([^\]]+)\]/);
  const methods = [...list.matchAll(/"(\w+)"/g)].map(([, name]) => name);
  const asked = new Set();
  for (const { path: file } of packed.files.filter(({ path: file }) => file.endsWith(".js") && !file.startsWith("wasm/"))) {
    for (const [, name] of readFileSync(path.join(root, file), "utf8").matchAll(/(?:\bcall\(|withRoot\(\w+, )"(\w+)"/gi)) asked.add(name);
  }
  for (const name of ["send", "write"]) assert.ok(asked.has(name), `${name} is not found: are calls written otherwise?`);
  assert.deepEqual([...asked].filter((name) => !methods.includes(name)), []);
  assert.deepEqual(methods.filter((name) => !asked.has(name)), []);
});

test("in Node.js it can be imported, and says that it needs a browser", async () => {
  const script = `import * as all from "hypha-node";
    const { Hypha, HyphaError } = all;
    const code = (work) => work().then(() => "none", (error) => error instanceof HyphaError && error instanceof Error && error.code);
    console.log(JSON.stringify([Object.keys(all).sort(), await code(() => Hypha.open()), await code(() => Hypha.generatePassphrase()),
      await code(() => Hypha.init()), import.meta.resolve("hypha-node/core.wasm").split("/").at(-1)]));`;
  const said = JSON.parse(await run(process.execPath, ["--input-type=module", "--eval", script], app));
  assert.deepEqual(said, [["Hypha", "HyphaError", "Request", "SignIn", "Space"], "UNSUPPORTED", "UNSUPPORTED", "UNSUPPORTED", "core_bg.wasm"]);
});

test("Node.js and browsers see the same names", async () => {
  const exported = /export \{([^}]+)\}|export (?:class|const|function) (\w+)/g;
  const root = path.join(app, "node_modules/hypha-node");
  const names = (file) => [...readFileSync(path.join(root, file), "utf8").matchAll(exported)]
    .flatMap(([, list, one]) => one ?? list.split(",").map((name) => name.trim())).sort();
  assert.deepEqual(names("no-browser.js"), names("index.js"));
});

for (const [which, folder] of [["the newest TypeScript", "typescript"], ["TypeScript 5", "typescript-5"]]) {
  test(`types hold under --strict: ${which}`, async (t) => {
    const tsc = path.join(HERE, "node_modules", folder, "bin/tsc");
    cpSync(path.join(HERE, "types.mts"), path.join(app, "types.mts"));
    for (const [module, resolution] of [["nodenext", "nodenext"], ["esnext", "bundler"]]) {
      await run(process.execPath, [tsc, "--noEmit", "--strict", "--target", "esnext", "--lib", "esnext,dom", "--module", module,
        "--moduleResolution", resolution, "types.mts"], app);
    }
    t.diagnostic((await run(process.execPath, [tsc, "--version"], app)).trim());
  });
}

test("publint has nothing to say", async () => {
  await run(path.join(BIN, "publint"), ["run", "--strict", "--level", "suggestion", path.join(work, packed.filename)], work);
});

test("the types are right for whoever imports it (attw, ES modules only)", async () => {
  // These are addresses for `new URL` and `Hypha.init`; nobody imports them.
  const addresses = ["./core.wasm", "./posts.wasm", "./rest.wasm", "./setup.wasm", "./worker.js"];
  await run(path.join(BIN, "attw"), ["--profile", "esm-only", "--no-color", path.join(work, packed.filename), "--exclude-entrypoints", ...addresses], work);
});

/** Files under a folder, as paths within it. */
const under = (folder) => readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)));

/** Opens a page at `url` in a headless Chromium; what the app above found. */
async function tried(url) {
  browser ??= await puppeteer.launch({ executablePath: CHROMIUM, headless: true, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
  const tab = await browser.newPage();
  const errors = [];
  tab.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
  // A host that names no space yet is none of the app's errors, though the browser says so.
  tab.on("console", (message) => message.type() === "error" && !message.location()?.url?.includes("/.well-known/") && errors.push(message.text()));
  try {
    await tab.goto(url, { waitUntil: "load", timeout: 120_000 });
    const found = await tab.evaluate(() => globalThis.tried).catch((error) => assert.fail(`${error.message}\n${errors.join("\n")}`));
    assert.deepEqual(errors, []);
    return found;
  } finally {
    await tab.close();
  }
}

/** That a bundle holds one module of WebAssembly and works in a browser, under the policy of the README. */
async function works(folder, t, check = right) {
  const files = under(folder);
  const wasm = files.filter((name) => name.endsWith(".wasm"));
  assert.equal(wasm.length, PARTS.length, `of WebAssembly there is: ${wasm.join(", ")}`);
  for (const name of PARTS) {
    const bytes = readFileSync(path.join(PKG, `wasm/${name}.wasm`));
    assert.ok(wasm.some((file) => bytes.equals(readFileSync(path.join(folder, file)))), `${name}.wasm is in the bundle as it is`);
  }
  const server = createServer((request, response) => {
    const name = new URL(request.url, "http://localhost").pathname.slice(1) || "index.html";
    const there = files.includes(name);
    response.writeHead(there ? 200 : 404, { "content-type": TYPES[path.extname(name)] ?? "text/plain", "content-security-policy": POLICY });
    response.end(there ? readFileSync(path.join(folder, name)) : "there is no such file");
  });
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
  try {
    check(await tried(`http://localhost:${server.address().port}/`));
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  t.diagnostic(`${files.length} files: ${files.sort().join(", ")}`);
}

function right({ words, n, key, code, title }) {
  assert.match(words, /^[a-z-]+( [a-z-]+){7}$/);
  assert.deepEqual([n, /^[0-9a-f]{64}$/.test(key), code, title], [1, true, "BAD_INPUT", "Garden"]);
}

/** A bundle by esbuild of a script in the author's folder, and a page for it. */
async function bundled(script, name) {
  const outdir = path.join(work, name);
  // It does not follow `new URL`, so the worker and the module are named, as the README says.
  await esbuild({
    absWorkingDir: app, outdir, bundle: true, minify: true, format: "esm", logLevel: "silent", loader: { ".wasm": "copy" },
    entryPoints: { app: script, worker: "hypha-node/worker.js", "wasm/core_bg": "hypha-node/core.wasm", "wasm/core_setup": "hypha-node/setup.wasm",
      "wasm/core_posts": "hypha-node/posts.wasm", "wasm/core_rest": "hypha-node/rest.wasm" },
  });
  writeFileSync(path.join(outdir, "index.html"), page("./app.js"));
  return outdir;
}

test("esbuild bundles it", async (t) => works(await bundled("app.js", "esbuild"), t));

for (const [file, count, posts] of [["README.md", 2, ["Hello"]], ["pkg-template/README.md", 1, ["Hello", "Only my devices read this"]]]) {
  test(`the examples of ${file} run as they stand there`, async (t) => {
    const text = readFileSync(path.join(HERE, "../..", file), "utf8");
    const blocks = [...text.matchAll(/```js\n(.*?)```/gs)].slice(0, count).map(([, code]) => code);
    assert.equal(blocks.length, count);
    // Only the hub, which is an example, is left out, and where things are imported from has to stand in front.
    const [imports] = blocks[0].match(/^import .*$/m);
    const code = blocks.join("\n").replace(imports, "").replace(/\{ hubs: \[[^\]]*\] \}/, "{ hubs: [] }");
    const script = `example-${count}.js`;
    writeFileSync(path.join(app, script), `${imports}
globalThis.tried = (async () => {
  ${code}
  const posts = [];
  for await (const { value } of hypha.home.list()) posts.push(value.text);
  const { state } = hypha;
  await hypha.close();
  return { posts, state };
})();
`);
    await works(await bundled(script, `example-${count}`), t, ({ posts: found, state }) => {
      assert.deepEqual([found.length, new Set(found), state], [posts.length, new Set(posts), "writer"]);
    });
  });
}

test("vite bundles it", async (t) => {
  const outDir = path.join(work, "vite");
  await vite({ root: app, configFile: false, logLevel: "error", build: { outDir, emptyOutDir: true } });
  await works(outDir, t);
});

test("vite serves it to an author at work", async (t) => {
  const server = await viteServer({
    root: app, configFile: false, logLevel: "error", cacheDir: path.join(work, "vite-cache"), optimizeDeps: { exclude: ["hypha-node"] },
    server: { host: "localhost", port: await freePort(), strictPort: true, watch: null },
  });
  t.after(() => server.close());
  await server.listen();
  right(await tried(server.resolvedUrls.local[0]));
});

// vite's own socket wants to know the port beforehand.
async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, "localhost", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

test("webpack bundles it", async (t) => {
  const output = path.join(work, "webpack");
  const compiler = webpack({
    context: app, mode: "production", entry: "./app.js", output: { path: output, filename: "app.js" }, performance: false,
  });
  const stats = await promisify(compiler.run.bind(compiler))();
  await promisify(compiler.close.bind(compiler))();
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  assert.deepEqual([errors, warnings], [[], []]);
  writeFileSync(path.join(output, "index.html"), page("./app.js"));
  await works(output, t);
});
