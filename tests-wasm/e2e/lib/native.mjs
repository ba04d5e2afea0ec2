// A node outside of a browser: `hypha-native-peer` of tests-wasm/native, which `cargo xtask test` builds, asked over its
// stdin and heard over its stdout, one JSON object a line.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { until, within } from "./wait.mjs";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");

/** A program of tests-wasm/native. */
export function nativeProgram(name) {
  const folder = process.env.HYPHA_NATIVE ?? path.join(path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? "target"), "native");
  const program = path.join(folder, name);
  if (!existsSync(program)) throw new Error(`${program} is missing; \`cargo xtask test --only e2e\` builds it`);
  return program;
}

/** Starts one in a world: `{ ask(call, more), heard, stop() }`. Options: `link`, `hub` (one or several). */
export function nativePeer(w, { link, hub }) {
  const args = ["--domain", "localhost", ...(link ? ["--link", link] : []), ...[hub].flat().flatMap((url) => ["--hub", url])];
  const child = spawn(nativeProgram("hypha-native-peer"), args, { stdio: ["pipe", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let said = "";
  child.stderr.on("data", (data) => (said = (said + data).slice(-20_000)));
  const heard = [];
  const waiting = new Map();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const told = JSON.parse(line);
    if (!("id" in told)) return void heard.push(told);
    waiting.get(told.id)?.(told);
    waiting.delete(told.id);
  });
  let last = 0;
  const peer = {
    /** What it said by itself, oldest first. */
    heard,
    /** The answer to a call; an error of the node is thrown with its code. */
    async ask(call, more = {}) {
      const id = ++last;
      const answer = new Promise((resolve) => waiting.set(id, resolve));
      child.stdin.write(`${JSON.stringify({ id, call, ...more })}\n`);
      const { result, error, code } = await within(120_000, `the native peer's answer to ${call} (${said})`, answer);
      if (error) throw Object.assign(new Error(error), { code });
      return result;
    },
    /** Texts of its posts, once they are exactly these, in this order. */
    async reads(texts, options) {
      let posts = [];
      await until(`the native peer to read “${texts.join("”, “")}”`, async () => {
        posts = await peer.ask("list", { prefix: "posts/" });
        return JSON.stringify(posts.map(({ value }) => value?.text)) === JSON.stringify(texts);
      }, { ...options, told: () => JSON.stringify({ posts, heard: heard.slice(-20), said }) });
      return posts;
    },
    async inState(wanted, options) {
      await until(`the native peer to be ${wanted}`, async () => (await peer.ask("state")).state === wanted,
        { ...options, told: () => JSON.stringify({ heard: heard.slice(-20), said }) });
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.stdin.end();
        await within(60_000, "the end of the native peer", ended).catch(() => (child.kill("SIGKILL"), ended));
      }
    },
  };
  return w.keep(peer);
}
