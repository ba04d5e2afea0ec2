// The server under test and the hubs, as processes of their own.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { nativeProgram } from "./native.mjs";
import { until, within } from "./wait.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.resolve(HERE, "../../..");

/** The page and its hub. `data` is a folder that survives the server, for tests that restart it. */
export async function startServer({ data, port = 0, pkg } = {}) {
  const own = data ?? mkdtempSync(path.join(tmpdir(), "hypha-data-"));
  const server = await xtask(["serve", "--no-build", "--port", String(port), "--data", own, ...(pkg ? ["--pkg", pkg] : [])], /^\s*Ctrl-C ends it/m);
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

/** How each kind of hub is started on a port, and what stands between scheme and port in its address. */
const HUBS = {
  embedded: { start: (port) => xtask(["serve", "--hub-only", "--port", String(port)], /^\s*Ctrl-C ends it/m), kind: "", path: "/hub" },
  "y-webrtc": { start: stock, kind: "y-webrtc+", path: "" },
  liar: { start: fromNpm("liar"), kind: "y-webrtc+", path: "" },
  matchbox: { start: matchbox, kind: "matchbox+", path: "" },
  mosquitto: { start: mosquitto, kind: "mqtt+", path: "/mqtt" },
  mqtt: { start: fromNpm("mqtt"), kind: "mqtt+", path: "/mqtt" },
  nostr: { start: fromNpm("nostr"), kind: "nostr+", path: "" },
  "nostr-relay-builder": { start: nostrRelay, kind: "nostr+", path: "" },
  peerjs: { start: fromNpm("peerjs"), kind: "peerjs+", path: "/peerjs" },
  signalhubws: { start: fromNpm("signalhubws"), kind: "signalhubws+", path: "" },
  wt: { start: fromNpm("wt"), kind: "wt+", path: "" },
};

/** A hub that can be stopped and started again on the same port. `plain` is its address without its kind. */
export async function startHub(kind = "embedded") {
  const port = await freePort();
  const { start, kind: named, path } = HUBS[kind];
  const plain = `ws://localhost:${port}${path}`;
  let running;
  const hub = {
    port,
    plain,
    url: named + plain,
    async start() {
      running = await start(port);
    },
    async stop() {
      await running?.stop();
      running = undefined;
    },
  };
  await hub.start();
  return hub;
}

/** A hub before which everything waits `delay` ms, both ways. It is in this process. */
export async function startSlowly(hub, delay) {
  const port = await freePort();
  const sockets = new Set();
  const server = createServer((near) => {
    const far = connect(hub.port, "localhost");
    for (const [from, to] of [[near, far], [far, near]]) {
      sockets.add(from);
      from.on("data", (data) => setTimeout(() => to.destroyed || to.write(data), delay));
      from.on("close", () => (sockets.delete(from), to.destroy()));
      from.on("error", () => {});
    }
  });
  await new Promise((resolve) => server.listen(port, "localhost", resolve));
  return {
    url: hub.url.replace(String(hub.port), String(port)),
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Servers from npm that need a few lines around them. */
function fromNpm(kind) {
  return async (port) => {
    const child = start(process.execPath, [path.join(HERE, "hub-process.mjs"), kind, String(port)]);
    await until(`the ${kind} hub`, () => {
      if (child.ended()) throw new Error(`the ${kind} hub ended:\n${child.output()}`);
      return child.output().includes("listening");
    }, { told: child.output });
    return child;
  };
}

/** matchbox_server, which Cargo installs. */
async function matchbox(port) {
  const child = start(process.env.HYPHA_MATCHBOX ?? "matchbox_server", [`127.0.0.1:${port}`]);
  await until("matchbox_server", () => {
    if (child.ended()) throw new Error(`matchbox_server ended:\n${child.output()}`);
    return fetch(`http://127.0.0.1:${port}/health`).then((answer) => answer.ok, () => false);
  }, { told: child.output });
  return child;
}

/** Debian's mosquitto: it starts only if it listens for plain MQTT too, and binds to all addresses unless told where. */
async function mosquitto(port) {
  const folder = mkdtempSync(path.join(tmpdir(), "hypha-mosquitto-"));
  const settings = path.join(folder, "mosquitto.conf");
  writeFileSync(settings, ["per_listener_settings false", "allow_anonymous true", `listener ${await freePort()} 127.0.0.1`,
    `listener ${port} 127.0.0.1`, "protocol websockets", "socket_domain ipv4", ""].join("\n"));
  const child = start(process.env.HYPHA_MOSQUITTO ?? "/usr/sbin/mosquitto", ["-c", settings]);
  await until("mosquitto", () => {
    if (child.ended()) throw new Error(`mosquitto ended:\n${child.output()}`);
    return /mosquitto version \S+ running/.test(child.output());
  }, { told: child.output });
  return {
    ...child,
    async stop() {
      await child.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A relay of the Rust crate nostr-relay-builder. */
async function nostrRelay(port) {
  const child = start(nativeProgram("hypha-nostr-relay"), [String(port)]);
  await until("the relay of nostr-relay-builder", () => {
    if (child.ended()) throw new Error(`the relay of nostr-relay-builder ended:\n${child.output()}`);
    return child.output().includes("listening");
  }, { told: child.output });
  return child;
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
