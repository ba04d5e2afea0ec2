// A server with nothing but the package and an empty page, for tests that need many starts and no page of ours.

import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

const PKG = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../../pkg");
const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };

// `asked(request)` is the promise of an IndexedDB request, for tests that look at the database by themselves.
const PAGE = `<!doctype html><title>blank</title><link rel=icon href=data:,><script>
const asked = (request) => new Promise((done, fail) => ([request.onsuccess, request.onerror] = [() => done(request.result), () => fail(request.error)]));
</script>`;

/** `{ url, port, stop() }`. The port stays free for nobody else: an origin is an address with its port. `told`: path -> what is called with the query and an answer, which it may give. */
export function startBlank(told = {}) {
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url, "http://localhost");
    if (Object.hasOwn(told, pathname)) return void told[pathname](search.slice(1), response);
    if (pathname === "/") return void response.setHeader("content-type", "text/html").end(PAGE);
    const file = path.join(PKG, path.normalize(pathname.replace(/^\/pkg\//, "/")));
    if (!pathname.startsWith("/pkg/") || !file.startsWith(PKG) || !existsSync(file) || !statSync(file).isFile()) {
      return void response.writeHead(404).end();
    }
    response.setHeader("content-type", TYPES[path.extname(file)] ?? "application/octet-stream");
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve({
      url: `http://localhost:${server.address().port}/`,
      port: server.address().port,
      async stop() {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      },
    }));
  });
}
