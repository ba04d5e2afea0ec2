// The host that the page came from: which space it names, and telling it once.

import { HyphaError } from "./errors.js";

const TIMEOUT_MS = 10_000;
const LONGEST = 4096; // characters of an answer that are read: a link and a few lines

/** A domain in the browser's own spelling: ASCII, lower case, no port. */
export function domainOf(given = globalThis.location?.hostname) {
  if (typeof given !== "string" || given.trim() === "") {
    throw new HyphaError("BAD_INPUT", "domain: this page has no host name; give one, such as Hypha.open({ domain: \"example.org\" })");
  }
  try {
    return new URL(/^[a-z]+:\/\//i.test(given) ? given : `http://${given.trim()}`).hostname;
  } catch {
    throw new HyphaError("BAD_INPUT", `domain: ${JSON.stringify(given.slice(0, 80))} is no host name; one looks like example.org`);
  }
}

/** Asks a domain for its `/.well-known/dat`: `{ found: text }`, `{ missing: true }` or `{ failed: why }`. Never rejects. */
export async function lookUp(domain) {
  const url = wellKnown(domain, "dat");
  try {
    const response = await get(url);
    if (response.status === 404 || response.status === 410) return { missing: true };
    if (!response.ok) return { failed: `${url} answered ${response.status}` };
    return { found: (await response.text()).slice(0, LONGEST) };
  } catch (error) {
    const why = error?.name === "TimeoutError" ? `no answer within ${TIMEOUT_MS / 1000} seconds` : String(error?.message ?? error);
    return { failed: `${url}: ${why}` };
  }
}

/** The one-time nonce of a host that takes claims, as bytes; undefined if this one does not. */
export async function claimNonce(domain) {
  try {
    const response = await get(wellKnown(domain, "hypha-claim"));
    const { nonce } = response.ok ? await response.json() : {};
    return /^[0-9a-f]{64}$/i.test(nonce) ? Uint8Array.from(nonce.match(/../g), (pair) => parseInt(pair, 16)) : undefined;
  } catch {
    return undefined;
  }
}

/** Tells the host which space its page shows. Resolves to whether it took it. */
export async function putClaim(domain, claim) {
  try {
    const response = await fetch(wellKnown(domain, "dat"), {
      method: "PUT",
      headers: { "content-type": "application/json" },
      // The signature is over the domain as keys are derived from it.
      body: JSON.stringify({ ...claim, domain: bare(domain) }),
      credentials: "omit",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return response.ok;
  } catch {
    return false;
  }
}

const bare = (host) => host?.toLowerCase().replace(/\.$/, "").replace(/^www\./, "");

const get = (url) => fetch(url, { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(TIMEOUT_MS) });

/** The page's own host is asked where the page is, so that any port and plain http will do. */
export function wellKnown(domain, name) {
  const here = globalThis.location;
  const origin = here?.protocol?.startsWith("http") && bare(here.hostname) === bare(domain) ? here.origin : `https://${domain}`;
  return `${origin}/.well-known/${name}`;
}
