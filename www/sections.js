// Which sections the page has, and when each is on screen. Those behind `import` come when they are first shown: what a page
// loads before the first write is to stay small, and few visits need all of it.

import { folded, later, part } from "./lib/later.js";
import { startLooking } from "./lib/looks.js";
import { recall } from "./lib/settings.js";
import { composer } from "./views/composer.js";
import { link } from "./views/link.js";
import { loading } from "./views/loading.js";
import { posts } from "./views/posts.js";

export const READING = ["visitor", "requesting", "writer", "locked", "revoked", "replica"];

const several = ({ hypha }) => (hypha.home?.writers() ?? []).length > 1;
/** Where nothing is written yet and nobody else is known, there is little to tell of devices and connections. */
const isEmpty = (app) => ["uninitialised", "writer"].includes(app.state) && !app.wrote && app.seen.size === 0 && !several(app);
const deviceCard = { title: "Your devices", text: "This is the first one. Others sign in with your eight words.", label: "Lock, sign out, and more", test: "show-devices",
  waits: isEmpty };
const connectionCard = { title: "Connections", text: "Other browsers of yours, and those of readers, are looked for by themselves.", label: "Show them, and work without a hub",
  test: "show-connections", waits: (app) => isEmpty(app) && app.hypha.peers().length === 0 };

/**
 * What is on screen, where, in which states, at which place, and when there is something to show. A view is
 * `(app) => { node, update?(why), close?() }`.
 */
export const SECTIONS = [
  { slot: "attention", view: loading, states: ["loading"] },
  { slot: "attention", view: later(() => import("./views/trouble.js"), "trouble"), states: ["trouble"] },
  { slot: "attention", view: later(() => import("./views/lost.js"), "lost"), states: ["uninitialised", "visitor"], when: (app) => Boolean(app.hypha.evicted) },
  { slot: "attention", view: later(() => import("./views/begin.js"), "setup", part), states: ["uninitialised"] },
  { slot: "attention", view: later(() => import("./views/changed.js"), "changed"), states: READING, when: (app) => Boolean(app.hypha.otherLink) },
  { slot: "attention", view: later(() => import("./views/removed.js"), "removed"), states: ["revoked"] },
  { slot: "attention", view: later(() => import("./views/waiting.js"), "waiting"), states: ["requesting"] },
  { slot: "attention", view: later(() => import("./views/unlock.js"), "unlock"), states: ["locked"] },
  { slot: "attention", view: later(() => import("./views/requests.js"), "requests"), states: ["writer"], when: (app) => app.hypha.requests().length > 0 },
  { slot: "attention", view: later(() => import("./views/look.js"), "look"), states: ["writer"], when: (app) => several(app) || startLooking() },
  { slot: "attention", view: later(() => import("./views/begin.js"), "address", part), states: ["writer"], when: () => recall("offer-address") !== undefined },
  { slot: "page", at: "diary", view: posts, states: READING },
  { slot: "page", at: "diary", view: composer, states: ["writer", "requesting"] },
  { slot: "page", at: "taken", view: later(() => import("./views/taken.js"), "taken"), states: ["writer", "requesting", "locked", "revoked"] },
  { slot: "page", at: "passphrase", view: later(() => import("./views/passphrase.js"), "passphrase"), states: ["writer"] },
  { slot: "page", at: "offline", view: later(() => import("./views/offline.js"), "offline"), states: READING },
  { slot: "side", view: later(() => import("./views/sign-in.js"), "signIn"), states: ["visitor", "revoked"] },
  { slot: "side", view: folded(deviceCard, () => import("./views/devices.js"), "devices"), states: ["writer"] },
  { slot: "side", view: link, states: READING },
  { slot: "side", view: folded(connectionCard, () => import("./views/status.js"), "status"), states: ["uninitialised", ...READING] },
];
