// This package: two devices of one person. B is let in before anything is measured, and knows of nothing else then.

import { Hypha } from "/pkg/index.js";
import { changed, offer } from "../lib/network-page.js";

const DOMAIN = "bench.example";
let hypha;
let name;
let letter;
let link;
let passphrase;
let count = 0;
let written = 0;
let hub;

const key = () => `log/${letter}${String(written++).padStart(8, "0")}`;
const op = (value) => ({ type: "put", key: key(), value });

async function start(options) {
  hypha = await Hypha.open({ name, domain: DOMAIN, link, transports: { tabs: false }, ...options });
}

/** Counts what is there, and from then on what comes. Each key is written once. */
async function follow() {
  count = (await check())[0];
  hypha.home.addEventListener("change", ({ detail }) => {
    count += detail.filter((key) => key.startsWith("log/")).length;
    changed();
  });
}

async function check() {
  let [entries, bytes] = [0, 0];
  for await (const { value } of hypha.home.list({ prefix: "log/" })) {
    entries += 1;
    bytes += value.length;
  }
  return [entries, bytes];
}

offer({
  async open(database, role) {
    name = database;
    letter = role.toLowerCase();
    if (role !== "A") return;
    await start();
    passphrase = await Hypha.generatePassphrase();
    await hypha.signUp(passphrase, { device: role, remember: true });
    link = hypha.home.link;
  },
  about: () => ({ link, passphrase }),
  /** B is let in; both are alone again then. */
  async pair(role, at, other) {
    if (role === "A") {
      const asked = new Promise((resolve) => hypha.addEventListener("request", () => resolve(), { once: true }));
      await hypha.addHub(at);
      await asked;
      await hypha.requests()[0].approve();
      await hypha.home.sync();
    } else {
      ({ link, passphrase } = other);
      await start({ hubs: [at] });
      await (await hypha.signIn(passphrase, { device: role, remember: true })).granted;
      await hypha.home.sync();
    }
    hub = at;
  },
  async visit(at, other) {
    if (hypha) await hypha.addHub(at);
    else {
      ({ link } = other);
      await start({ hubs: [at] });
    }
    await follow();
  },
  append: (batches) => Promise.all(batches.map((batch) => hypha.home.batch(batch.map(op)))),
  loose: (entries) => Promise.all(entries.map((value) => hypha.home.put(key(), value))),
  write: (value) => void hypha.home.put(key(), value),
  count: () => count,
  check,
  async connect(role, at) {
    hub = at;
    await hypha.addHub(at);
  },
  async disconnect() {
    await hypha.removeHub(hub);
    await hypha.close();
    await start();
    await follow();
  },
});
