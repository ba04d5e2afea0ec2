// What a page in TypeScript may and may not write; compiled against the package, never run:
// tsc --noEmit --strict --target esnext --module nodenext --lib esnext,dom types.mts

import { Hypha, HyphaError, Space, type Entry, type Request, type SignIn, type State } from "hypha-node";

const hypha: Hypha = await Hypha.open({ hubs: ["wss://x"], storage: "memory", transports: { webrtc: false } });
hypha.addEventListener("request", ({ detail }) => detail.map((request: Request) => request.approve(request.choices[0])));
hypha.addEventListener("statechange", ({ detail }) => { const state: State = detail; void state; });
const home: Space = await hypha.signUp(await Hypha.generatePassphrase(), { device: "x", claim: "00" });
const entry: Entry = await home.put("a", { n: 1, list: [new Date(), 5n, null, new Uint8Array(1)] }, { private: true, expect: null });
for await (const found of home.list({ prefix: "a", limit: 3 })) console.log(found.value.n, found.draft, found.conflicts[0]?.writer);
const stop: () => void = home.watch("a", (changes) => changes.forEach(({ key, value }) => console.log(key, value)));
stop();
const signIn: SignIn = await hypha.signIn("x", { device: "y" });
await signIn.granted.then((space) => space.link);
try { await hypha.recover("x", { device: "d" }); } catch (error) { if (error instanceof HyphaError && error.code === "UNSUPPORTED") console.log(error.message); }
await home.batch([{ type: "put", key: "a", value: 1 }, { type: "delete", key: "b", expect: entry.version }]);
console.log(hypha.peers()[0]?.roundTrip, (await hypha.stats()).hubs[0]?.state, home.writers()[0]?.self, home.clock()["x"]);
const garden: Space = await hypha.createSpace({ title: "x" });
const invite: string = await garden.invite({ role: "writer", uses: 2, expires: new Date() });
await (await hypha.join(invite)).leave();
console.log(garden.title, garden.code(), garden.invites()[0]?.used, hypha.spaces().length);
garden.messages.onmessage = ({ from, data }) => console.log(from, data);
await garden.messages.send({ a: 1 }, { private: true });
await garden.presence.set("here");
console.log(garden.presence.get().get(garden.key), garden.presence.list()[0]?.writer);
for await (const lost of home.quarantine()) if (lost.why === "cut") await home.adopt(lost);
for await (const old of home.history({ key: "a", live: false })) console.log(old.adopted);
console.log((await home.checkout(home.clock()).get("a"))?.value);
await home.hide("x", { since: new Date() });
await home.cut("x", { passphrase: "y", descendants: true });
await home.pinReplica("hypha-replica://x", { label: "hall" });
const safe: number = home.safety().replicas + home.safety().devices + (home.replicas()[0]?.expires?.getTime() ?? 0);
hypha.addEventListener("safety", ({ detail }) => console.log(detail.length, safe, hypha.replicas()[0]?.space.key));
home.addEventListener("safety", ({ detail }) => console.log(detail.unreplicated + detail.replicas));
home.addEventListener("granted", ({ detail }) => console.log(detail.own, detail.writer.length));
home.addEventListener("retracted", ({ detail }) => console.log(detail.entries + detail.keys.length));
home.addEventListener("message", ({ detail }) => console.log(detail.space, detail.from, detail.data));
home.addEventListener("change", ({ detail }) => console.log(detail.includes("a")));
home.addEventListener("presence", function () { console.log(this.presence.get().size); });
home.messages.addEventListener("message", ({ detail }) => console.log(detail.private, detail.time + 1));
home.presence.addEventListener("change", ({ detail }) => console.log(detail.get(home.key)));
hypha.addEventListener("equivocation", ({ detail }) => console.log("space" in detail ? [detail.space, detail.writer] : detail.code));
// @ts-expect-error what it tells is how safe it is, not whose
home.addEventListener("safety", ({ detail }) => detail.length);
const keeper = await Hypha.open({ role: "replica", quota: 1e9, spaceQuota: 1e8, maxPeers: 16 });
console.log((await keeper.hold("hypha://x", { quota: 1e7 })).key, keeper.replica?.spaces[0]?.full);
await home.unpinReplica("x");
await hypha.import(await hypha.export());
hypha.addEventListener("storage", ({ detail }) => "kind" in detail ? (detail.kind === "filling" ? detail.level : detail.link) : detail.code);
if (hypha.evicted) hypha.restEvicted();
await using other = await Hypha.open();
void other;
// @ts-expect-error functions cannot be stored
await home.put("f", () => {});
// @ts-expect-error no such code
new HyphaError("NOPE", "x");
// @ts-expect-error a device has a name
await hypha.signIn("x", {});
// @ts-expect-error made by Hypha.open() only
new Hypha();
