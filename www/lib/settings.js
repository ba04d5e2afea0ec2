// What the address of the page says, and the few choices that this page itself remembers. The data, the keys and
// the passphrase are the package's business and never pass through here.

const query = new URLSearchParams(location.search);

/** From the address: `?domain=`, `?name=` (database), `?link=`, and `#claim=` (one-time token of the server). */
export const settings = {
  domain: query.get("domain") || undefined,
  name: query.get("name") || undefined,
  link: query.get("link") || undefined,
  claim: new URLSearchParams(location.hash.slice(1)).get("claim") || undefined,
};

/** The domain shown to the person. */
export const domain = settings.domain ?? location.hostname;

const prefix = `hypha:${settings.name ?? domain}:`;
const kept = new Map(); // stands in where localStorage is blocked, for as long as the tab lives

/** Reads a remembered choice, or undefined. */
export function recall(key) {
  if (kept.has(key)) return kept.get(key);
  try {
    return localStorage.getItem(prefix + key) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Remembers a choice; undefined forgets it. */
export function remember(key, value) {
  kept.set(key, value);
  try {
    if (value === undefined) localStorage.removeItem(prefix + key);
    else localStorage.setItem(prefix + key, value);
  } catch {
    // Site data is blocked: the choice lasts as long as this tab.
  }
}

/** Writes the link into the address, so that a reload (and a bookmark) opens the same place. */
export function showLink(link) {
  settings.link = link;
  const url = new URL(location.href);
  if (link) url.searchParams.set("link", link);
  else url.searchParams.delete("link");
  history.replaceState(null, "", url);
}

/** Takes the claim token out of the address: it works only once. */
export function dropClaim() {
  settings.claim = undefined;
  const url = new URL(location.href);
  url.hash = "";
  history.replaceState(null, "", url);
}

/** The hubs to join: those in the address, else those chosen on the page, else the one of this very server. */
export async function currentHubs() {
  // "kind+wss://" typed by hand: the query would turn its plus into a space.
  const asked = new URLSearchParams(location.search).getAll("hub").map((url) => url.trim().replace(" ", "+")).filter(Boolean);
  if (asked.length > 0) return asked;
  try {
    const chosen = JSON.parse(recall("hubs") ?? "null");
    if (Array.isArray(chosen)) return chosen.filter((url) => typeof url === "string");
  } catch {
    // Not our JSON: as if nothing had been chosen.
  }
  return ownHub();
}

/** Remembers a list of hubs as the person's choice; from then on those in the address no longer count. */
export function chooseHubs(hubs) {
  remember("hubs", JSON.stringify(hubs));
  const url = new URL(location.href);
  url.searchParams.delete("hub");
  history.replaceState(null, "", url);
}

/** Whether nothing of this site is kept here: a first visit, as far as anyone can tell. */
export function isNewcomer() {
  try {
    return localStorage.length === 0;
  } catch {
    return true;
  }
}

// The developer server says that it has a hub; a static host answers 404, or its own HTML page for everything.
async function ownHub() {
  try {
    const answer = await fetch("/.well-known/hypha-hub", { cache: "no-store", signal: AbortSignal.timeout(3000) });
    const html = answer.headers.get("content-type")?.startsWith("text/html");
    if (!answer.ok || html) return [];
    return [`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/hub`];
  } catch {
    return [];
  }
}
