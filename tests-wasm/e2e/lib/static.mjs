// A plain file server, as any web host is: page, package, and whatever files are put on it. With range requests or without.

import { createServer } from "node:http";
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml", ".json": "application/json" };

/** `{ url, files, sent, paths, stop() }`: `files` by path, which a test changes; `sent` counts bytes and requests of those; `paths` of all requests. */
export async function startStatic({ ranges = true } = {}) {
  const host = { files: new Map(), ranges, sent: { bytes: 0, requests: 0 }, paths: [] };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    host.paths.push(pathname);
    const own = host.files.get(pathname);
    const body = own ?? fromDisk(pathname);
    if (!body) return void response.writeHead(404).end();
    const type = pathname.endsWith("/") ? TYPES[".html"] : TYPES[path.extname(pathname)] ?? "application/octet-stream";
    const range = host.ranges && /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const part = range ? body.subarray(Number(range[1]), Number(range[2]) + 1) : body;
    if (own) {
      host.sent.requests++;
      host.sent.bytes += part.length;
    }
    response.writeHead(range ? 206 : 200, {
      "content-type": type, "content-length": part.length, "cache-control": "no-store",
      ...(range && { "content-range": `bytes ${range[1]}-${Number(range[1]) + part.length - 1}/${body.length}` }),
    });
    response.end(part);
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return Object.assign(host, {
    url: `http://localhost:${server.address().port}/`,
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  });
}

function fromDisk(pathname) {
  const inside = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
  // The page as it is built, and beside its parts the package.
  const file = ["site", ""].map((folder) => path.join(ROOT, folder, path.normalize(inside)))
    .find((file) => (file.startsWith(path.join(ROOT, "site/")) || file.startsWith(path.join(ROOT, "pkg/"))) && existsSync(file) && statSync(file).isFile());
  return file && readFileSync(file);
}
