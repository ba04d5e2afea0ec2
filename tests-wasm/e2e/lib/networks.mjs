// Networks on this machine: namespaces of the kernel, joined by a router that can be told to drop, to translate addresses, and
// to take a cable out. Needs root, and Linux with `ip` and `nft`; the TURN server is coturn.
//
//   a (10.77.1.2) ──┐
//                   ├── router ── outside (10.77.0.2): coturn
//   b (10.77.2.2) ──┘
//
// Nothing leads out of them. Page and hub reach a namespace through sockets in the file system, as its own localhost: so what
// is dropped on the way is WebRTC and nothing else.

import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { until } from "./wait.mjs";

/** What is missing for these tests, in words; nothing if all is there. */
export function missing() {
  const words = [];
  if (process.platform !== "linux" || process.getuid() !== 0) words.push("root on Linux, for network namespaces (sudo)");
  const has = (program, ...args) => !spawnSync(program, args).error;
  if (!has("ip", "-V")) words.push("the program ip (Debian: apt-get install iproute2)");
  if (!has("nft", "-v")) words.push("the program nft (Debian: apt-get install nftables)");
  if (!has("turnserver", "--version")) words.push("the program turnserver (Debian: apt-get install coturn)");
  return words.join("; ");
}

let made = 0;

const NODES = { a: "10.77.1", b: "10.77.2", outside: "10.77.0" };

/** Makes the networks: `{ open, direct, narrow, cut, nat, cable, turn, program, stop }`. */
export async function startNetworks() {
  const lacking = missing();
  if (lacking) throw new Error(`these tests need ${lacking}`);
  const number = (made += 1);
  const name = (node) => `hypha-${process.pid}-${number}-${node}`;
  const folder = mkdtempSync(path.join(tmpdir(), "hypha-net-"));
  const children = [];
  const servers = [];
  const stop = async () => {
    for (const child of children) child.kill("SIGKILL");
    for (const server of servers) server.close();
    for (const node of ["router", ...Object.keys(NODES)]) spawnSync("ip", ["netns", "del", name(node)]);
    rmSync(folder, { recursive: true, force: true });
  };
  const run = (...args) => {
    const { status, stderr } = spawnSync(args[0], args.slice(1), { encoding: "utf8" });
    if (status !== 0) throw new Error(`${args.join(" ")}: ${stderr.trim()}`);
  };
  const within = (node, ...args) => run("ip", "netns", "exec", name(node), ...args);
  const nft = (...rules) => rules.forEach((rule) => within("router", "nft", rule));
  try {
    for (const node of ["router", ...Object.keys(NODES)]) {
      run("ip", "netns", "add", name(node));
      within(node, "ip", "link", "set", "lo", "up");
    }
    for (const [node, net] of Object.entries(NODES)) {
      run("ip", "link", "add", "name", "wire", "netns", name(node), "type", "veth", "peer", "name", `to-${node}`, "netns", name("router"));
      within(node, "ip", "address", "add", `${net}.2/24`, "dev", "wire");
      within("router", "ip", "address", "add", `${net}.1/24`, "dev", `to-${node}`);
      // Without addresses that come by themselves: a browser gives up what it fetches when one comes, a second or two later.
      within(node, "ip", "link", "set", "wire", "addrgenmode", "none");
      within(node, "ip", "link", "set", "wire", "up");
      within("router", "ip", "link", "set", `to-${node}`, "up");
      if (node !== "outside") within(node, "ip", "route", "add", "default", "via", `${net}.1`);
    }
    within("router", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1");
    nft(
      "add table inet hypha",
      "add chain inet hypha forward { type filter hook forward priority 0; }",
      "add chain inet hypha input { type filter hook input priority 0; }",
      "add table ip hypha-nat",
      "add chain ip hypha-nat out { type nat hook postrouting priority 100; }",
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    /** Everything passes between a and b. */
    direct: () => nft("flush chain inet hypha forward", "flush chain inet hypha input", "flush chain ip hypha-nat out"),
    /** All UDP together passes at this many kilobytes a second: what a test cuts is then under way on every machine. */
    narrow: (rate) => nft("flush chain inet hypha forward", `add rule inet hypha forward meta l4proto udp limit rate over ${rate} kbytes/second burst 64 kbytes drop`),
    /** No UDP passes the router any more. */
    cut: () => nft("insert rule inet hypha forward meta l4proto udp drop"),
    /**
     * Each behind an address translator that gives every destination another port, and no way from one to the other. Nobody
     * is told that a port is closed, as little as by most boxes and hosts: coturn's clients share a socket, and two such words
     * about one that went end the allocation of whoever sends next ("closed, reason: general").
     */
    nat: () => nft(
      "flush chain inet hypha forward",
      'add rule inet hypha forward iifname "to-a" oifname "to-b" drop',
      'add rule inet hypha forward iifname "to-b" oifname "to-a" drop',
      "add rule inet hypha forward icmp type destination-unreachable drop",
      "add rule inet hypha input meta l4proto udp drop",
      'add rule ip hypha-nat out oifname "to-outside" masquerade random,fully-random',
    ),
    /** Takes the cable of a node out, or puts it back. */
    cable: (node, plugged) => {
      within(node, "ip", "link", "set", "wire", plugged ? "up" : "down");
      if (plugged) within(node, "ip", "route", "replace", "default", "via", `${NODES[node]}.1`);
    },
    /** A program that runs in a node, to be started like any other. */
    program(node, program) {
      const script = path.join(folder, `${node}-${path.basename(program)}`);
      writeFileSync(script, `#!/bin/sh\nexec ip netns exec ${name(node)} ${program} "$@"\n`);
      chmodSync(script, 0o755);
      return script;
    },
    /** Lets a port of localhost be reached as that of a node's own localhost. */
    async open(node, port) {
      const socket = path.join(folder, `${node}-${port}`);
      const server = createServer((near) => join(near, connect(port, "localhost")));
      await new Promise((resolve) => server.listen(socket, resolve));
      servers.push(server);
      const code = `const net = require("net"); net.createServer((near) => { const far = net.connect(${JSON.stringify(socket)});
        for (const [from, to] of [[near, far], [far, near]]) { from.pipe(to); from.on("error", () => to.destroy()); } })
        .listen(${port}, "::", () => console.log("listening"));`;
      const child = spawn("ip", ["netns", "exec", name(node), process.execPath, "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
      children.push(child);
      let said = "";
      child.stdout.on("data", (data) => (said += data));
      await until(`port ${port} in ${node}`, () => said.includes("listening"));
    },
    /** coturn outside; gives the ICE servers. */
    async turn() {
      const log = path.join(folder, "turn.log");
      const options = [
        "-n", "--listening-ip=10.77.0.2", "--relay-ip=10.77.0.2", "--lt-cred-mech", "--realm=hypha", "--user=hypha:pebble", "--no-tls", "--no-dtls",
        "--no-cli", `--log-file=${log}`, "--simple-log", `--pidfile=${path.join(folder, "turn.pid")}`, `--userdb=${path.join(folder, "turn.db")}`,
      ];
      children.push(spawn("ip", ["netns", "exec", name("outside"), "turnserver", ...options], { stdio: "ignore" }));
      const silent = "add table inet hypha; add chain inet hypha output { type filter hook output priority 0; }; add rule inet hypha output icmp type destination-unreachable drop";
      within("outside", "nft", silent);
      await until("coturn", () => existsSync(log));
      return [{ urls: "turn:10.77.0.2:3478?transport=udp", username: "hypha", credential: "pebble" }];
    },
    stop,
  };
}

function join(near, far) {
  for (const [from, to] of [[near, far], [far, near]]) {
    from.pipe(to);
    from.on("error", () => to.destroy());
  }
}
