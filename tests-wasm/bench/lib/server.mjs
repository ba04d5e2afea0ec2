// Serves the bundles and an empty page for each system, isolated so that memory can be read.

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";

const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm" };

/** Starts on a free port: `{ origin, close() }`. `/<name>.html` runs the bundle `<name>.js` of the folder. */
export async function serve(folder) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    response.setHeader("cross-origin-opener-policy", "same-origin");
    response.setHeader("cross-origin-embedder-policy", "require-corp");
    if (pathname.endsWith(".html")) {
      const script = path.basename(pathname, ".html");
      response.setHeader("content-type", "text/html; charset=utf-8");
      return response.end(`<!doctype html><title>${script}</title><link rel="icon" href="data:,"><script type="module" src="${script}.js"></script>`);
    }
    const file = path.join(folder, path.normalize(pathname));
    if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.statusCode = 404;
      return response.end();
    }
    response.setHeader("content-type", TYPES[path.extname(file)] ?? "application/octet-stream");
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => (server.closeAllConnections(), server.close()),
  };
}
