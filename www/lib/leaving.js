// Warns before this tab is closed while something is nowhere else: entries that no replica and no other device has shown
// to hold, or a post that is not stored yet. Listening only while there is a reason keeps the page fit to be restored.

let storing = 0;
let alone = false;
let listening = false;

/** Tells whether what `home` has of this device is in this browser alone, though others are there to keep it. */
export function guard(home) {
  const { pinned, others, unreplicated } = home?.safety() ?? {};
  alone = home?.writable === true && unreplicated > 0 && pinned + others > 0;
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
  const wanted = alone || storing > 0;
  document.body.dataset.unreplicated = `${alone}`;
  if (wanted === listening) return;
  listening = wanted;
  if (wanted) addEventListener("beforeunload", ask);
  else removeEventListener("beforeunload", ask);
}

function ask(event) {
  event.preventDefault();
  event.returnValue = ""; // What older browsers go by.
}
