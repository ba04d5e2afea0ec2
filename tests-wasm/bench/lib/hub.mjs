// The signalling server that comes with the npm package y-webrtc, as it is: all systems meet through it.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../node_modules/y-webrtc/bin/server.js", import.meta.url));

/** Starts it on a free port: `{ url, stop() }`. */
export async function startHub() {
  const port = await freePort();
  const child = spawn(process.execPath, [SCRIPT], { env: { ...process.env, PORT: String(port) }, stdio: "ignore" });
  const stop = () => child.kill();
  process.once("exit", stop);
  // Nothing tells when it listens.
  for (let left = 100; !(await fetch(`http://localhost:${port}/`).then((answer) => answer.ok, () => false)); left--) {
    if (left === 0 || child.exitCode !== null) throw new Error("the hub did not start");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { url: `ws://localhost:${port}`, stop };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
