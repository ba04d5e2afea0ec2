import { Browser } from "./lib/browser.mjs";
import { bundle } from "./lib/bundle.mjs";
import { serve } from "./lib/server.mjs";
const server = await serve(await bundle());
const browser = await Browser.launch();
const [what = "append", n = "100000", sysname = "hypha"] = process.argv.slice(2);
async function prof(tab, label, work) {
  const s = await tab.createCDPSession();
  await s.send("Profiler.enable"); await s.send("Profiler.setSamplingInterval", { interval: 300 }); await s.send("Profiler.start");
  const t = Date.now(); const r = await work(); const ms = Date.now() - t;
  const { profile } = await s.send("Profiler.stop");
  const self = new Map(), by = new Map(profile.nodes.map((x) => [x.id, x])), parent = new Map();
  for (const x of profile.nodes) for (const c of x.children ?? []) parent.set(c, x.id);
  const incl = new Map(); let total = 0;
  profile.samples.forEach((id, i) => { const d = profile.timeDeltas[i] / 1000; total += d; const f = (x) => by.get(x).callFrame.functionName || by.get(x).callFrame.url.slice(-30) + ":" + by.get(x).callFrame.lineNumber;
    self.set(f(id), (self.get(f(id)) ?? 0) + d); const seen = new Set(); for (let x = id; x !== undefined; x = parent.get(x)) { const k = f(x); if (!seen.has(k)) { seen.add(k); incl.set(k, (incl.get(k) ?? 0) + d); } } });
  console.log(`== ${label}: wall ${ms}, page ${JSON.stringify(r.ms)}, sampled ${total.toFixed(0)}`);
  const show = (m, k) => [...m].sort((a, b) => b[1] - a[1]).slice(0, k).forEach(([f, v]) => console.log(v.toFixed(1).padStart(9), f.slice(0, 140)));
  console.log("-- self"); show(self, 35); console.log("-- inclusive"); show(incl, 60);
}
const open = async (db) => { const p = await browser.process.newPage(); await p.goto(`${server.origin}/${sysname}.html`); await p.waitForFunction("globalThis.bench"); const o = () => p.evaluate((d) => bench.open(d), db); return { p, o }; };
{
  const { p, o } = await open("x"); await o(); await p.evaluate(() => bench.prepare?.());
  const m = what === "open" ? "append" : what;
  if (what === "open") await p.evaluate((n) => bench.append(n, 1), +n); else await prof(p, m, () => p.evaluate((m, n) => bench[m](n, 1), m, +n));
  await p.evaluate(() => bench.close()); await p.close();
}
if (what === "open") { const { p, o } = await open("x"); await prof(p, "open", o); await prof(p, "newest", () => p.evaluate(() => bench.newest(50))); await prof(p, "readAll", () => p.evaluate(() => bench.readAll())); }
await browser.stop(); server.close(); process.exit();
