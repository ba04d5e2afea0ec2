// The server under test and the hubs, as processes of their own.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { until, within } from "./wait.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.resolve(HERE, "../../..");

/** The page and its hub. `data` is a folder that survives the server, for tests that restart it. */
export async function startServer({ data, port = 0 } = {}) {
  const own = data ?? mkdtempSync(path.join(tmpdir(), "hypha-data-"));
  const server = await xtask(["serve", "--no-build", "--port", String(port), "--data", own], /^\s*Ctrl-C ends it/m);
  const found = (pattern) => server.output().match(pattern)?.[1];
  const url = found(/Page\s+(\S+)/);
  return {
    url,
    hub: found(/Hub\s+(\S+)/),
    claim: found(/Claim\s+(\S+)/),
    port: Number(new URL(url).port),
    async stop() {
      await server.stop();
      if (!data) rmSync(own, { recursive: true, force: true });
    },
  };
}

/** A hub that can be stopped and started again on the same port. */
export async function startHub(kind = "embedded") {
  const port = await freePort();
  let running;
  const hub = {
    port,
    url: kind === "y-webrtc" ? `y-webrtc+ws://localhost:${port}` : `ws://localhost:${port}/hub`,
    async start() {
      running = kind === "y-webrtc" ? await stock(port) : await xtask(["serve", "--hub-only", "--port", String(port)], /^\s*Ctrl-C ends it/m);
    },
    async stop() {
      await running?.stop();
      running = undefined;
    },
  };
  await hub.start();
  return hub;
}

/** The signalling server that comes with the npm package y-webrtc, as it is. */
async function stock(port) {
  const script = path.resolve(HERE, "../node_modules/y-webrtc/bin/server.js");
  const child = start(process.execPath, [script], { PORT: String(port) });
  // It says so before it listens, hence the request.
  await until("the y-webrtc server", () => fetch(`http://localhost:${port}/`).then((answer) => answer.ok, () => false), {
    told: child.output,
  });
  return child;
}

/** Our own server, once it has printed what `ready` matches. */
async function xtask(args, ready) {
  const built = process.env.HYPHA_XTASK;
  const child = built && existsSync(built) ? start(built, args) : start("cargo", ["run", "--quiet", "--package", "xtask", "--", ...args]);
  await until(`\`xtask ${args.join(" ")}\``, () => {
    if (child.ended()) throw new Error(`\`xtask ${args.join(" ")}\` ended:\n${child.output()}`);
    return ready.test(child.output());
  }, { timeout: 180_000, told: child.output });
  return child;
}

function start(program, args, environment = {}) {
  const child = spawn(program, args, { cwd: ROOT, env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output = (output + data).slice(-100_000)));
  const ended = new Promise((resolve) => {
    child.once("exit", resolve);
    child.once("error", (error) => {
      output += error.message;
      resolve();
    });
  });
  let over = false;
  ended.then(() => (over = true));
  return {
    output: () => output,
    ended: () => over,
    async stop() {
      if (over) return;
      child.kill("SIGTERM");
      await within(10_000, `the end of ${program}`, ended).catch(() => {
        child.kill("SIGKILL");
        return ended;
      });
    },
  };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
