// Warns before this tab is closed while something is nowhere else, and waiting would help: a replica that is relied on does
// not have it yet, or another device is there that could take it and has not. Who is alone, or whose other devices are
// away, could wait for ever: they are told on the page (safety.js) and not stopped. A post that is not stored yet always
// counts. Listening only while there is a reason keeps the page fit to be restored.

/** For so long after a post, what is connected is given the time to take it. */
const GRACE_MS = 4000;

let storing = 0;
let since; // when the reason began; undefined without one
let asking = false;
let listening = false;
let timer;

/** Looks at what of this device's is in this browser alone. */
export function guard(hypha, now = Date.now()) {
  const { home } = hypha ?? {};
  const { pinned = 0, others = 0, unreplicated = 0 } = home?.safety() ?? {};
  const waits = home?.writable === true && unreplicated > 0;
  const near = waits && pinned + others > 0 && hypha.peers().some((peer) => peer.state === "open" && peer.spaces.includes(home.key));
  const reason = waits && (pinned > 0 || near);
  since = reason ? since ?? now : undefined;
  const wait = near ? since + GRACE_MS - now : 0;
  clearTimeout(timer);
  asking = reason && wait <= 0;
  if (reason && wait > 0) timer = setTimeout(() => guard(hypha), wait);
  document.body.dataset.unreplicated = `${waits && pinned + others > 0}`;
  listen();
}

/** Keeps the tab from closing unasked until a write is stored. */
export async function untilStored(write) {
  storing++;
  listen();
  try {
    return await write;
  } finally {
    storing--;
    listen();
  }
}

function listen() {
  const wanted = asking || storing > 0;
  if (wanted === listening) return;
  listening = wanted;
  if (wanted) addEventListener("beforeunload", ask);
  else removeEventListener("beforeunload", ask);
}

function ask(event) {
  event.preventDefault();
  event.returnValue = ""; // What older browsers go by.
}
