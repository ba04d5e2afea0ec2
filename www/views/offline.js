// Without a hub: two browsers that meet by a code which their persons carry, and files that go by hand. The back-up too.

import { announce, button, copy, field, h, heading, setText } from "../lib/dom.js";
import { download } from "../lib/files.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { files } from "./files.js";

const BEGUN = "Show this code to the other browser. It answers with a code of its own: scan or paste that below.";
// What was read is not the right code: the one that is shown still waits for it. After any other error that is over.
const NOT_THE_CODE = ["BAD_INPUT", "BAD_LINK", "CONFLICT", "TOO_LARGE"];
const ANSWERED = "Show this answer to the browser that made the first code. When it has read it, press “Connect” here too.";

export function offline(app) {
  const said = h("p", { role: "status", test: "pair-state" });
  const place = problemPlace();
  const shown = h("div", {});
  const entry = field({ label: "Code of the other browser", hint: "It begins with hypha: and is copied whole.",
    input: h("textarea", { rows: 3, test: "pair-in", autocapitalize: "none", autocomplete: "off", spellcheck: "false" }) });
  const begin = button("Make a code", () => start(), { class: "main", test: "pair-begin" });
  const read = button("Read the code", () => step(read, take), { test: "pair-read" });
  const node = h("section", { class: "diary", test: "offline" },
    h("div", { class: "bar" }, heading(1, "Without a hub"), h("a", { href: "#" }, "Back to the diary")),
    h("p", {}, "Where there is no hub, or none that you want to use, two browsers of one diary meet by two codes, one each way. A code holds network addresses and is of use for ten minutes."),
    h("div", { class: "card" }, heading(2, "Connect two browsers"), h("div", { class: "actions" }, begin), shown, entry.node, place,
      h("div", { class: "actions" }, read, ...scanners((text) => {
        entry.input.value = text;
        return step(read, take);
      }, place)), said),
    ...files(app));
  let mine; // what this side waits with
  let closed = false;

  const step = (control, work) => attempt(control, place, async () => {
    const before = mine;
    try {
      return await work();
    } catch (error) {
      const over = !NOT_THE_CODE.includes(error.code);
      if (closed || (over && mine && mine !== before)) return false; // Nobody waits for that one any more.
      setText(said, "");
      if (over) {
        drop();
        shown.replaceChildren();
      }
      // The page's words for these codes are about other things.
      throw ["BAD_LINK", "CONFLICT", "TOO_LARGE"].includes(error.code) ? new Error(error.message, { cause: error }) : error;
    }
  });

  const drop = () => {
    const before = mine;
    mine = undefined;
    return before?.cancel().catch(() => {});
  };

  const start = () => step(begin, async () => {
    await drop();
    setText(said, "Looking for the addresses of this browser…");
    mine = await app.hypha.pair();
    if (closed) return drop();
    show(mine.offer, BEGUN);
  });

  // An answer to what was made here, or somebody's first code.
  async function take() {
    const text = entry.input.value.trim();
    if (!text) {
      entry.complain("Paste or scan the code here first.");
      return false;
    }
    if (mine?.accept) {
      setText(said, "Connecting…");
      try {
        await mine.accept(text);
        return done();
      } catch (error) {
        // Where both sides made a code first, this is the other's, and one of the two answers.
        if (error.code !== "BAD_INPUT") throw error;
        return answer(text, error);
      }
    }
    return answer(text);
  }

  async function answer(text, before) {
    setText(said, "Looking for the addresses of this browser…");
    const answered = await app.hypha.answer(text).catch((error) => {
      throw error.code === "BAD_INPUT" && before || error;
    });
    if (closed) return void answered.cancel().catch(() => {});
    drop();
    mine = answered;
    entry.input.value = "";
    show(mine.answer, ANSWERED, button("Connect", (event) => step(event.currentTarget, async () => {
      setText(said, "Connecting…");
      await mine.connect();
      done();
    }), { class: "main", test: "pair-connect" }));
  }

  function done() {
    mine = undefined;
    entry.input.value = "";
    shown.replaceChildren();
    setText(said, "Connected. What one has and the other lacks goes over now.");
    announce("Connected");
  }

  async function show(text, hint, more) {
    setText(said, "");
    const code = h("code", { test: "pair-out", translate: "no", tabIndex: 0 }, text);
    const copying = button("Copy the code", () => copy(text, copying, code));
    const save = button("Save as a file", () => download(new Blob([text], { type: "text/plain" }), "hypha-code.txt"));
    const drawn = h("div", { class: "qr" });
    shown.replaceChildren(h("p", {}, hint), drawn, code, h("div", { class: "actions" }, copying, save, more));
    const { picture } = await import("../lib/qr.js");
    drawn.append(picture(text, "The same code as a QR code"));
  }

  return {
    node,
    close() {
      closed = true;
      drop();
    },
  };
}

// By camera or picture where the browser reads QR codes, and by a text file everywhere.
function scanners(take, place) {
  const file = h("input", { type: "file", test: "pair-file", hidden: true, accept: "image/*,.txt", onchange: () => attempt(file, place, async () => {
    const [given] = file.files;
    file.value = "";
    if (!given.type.startsWith("image/")) return take(await given.text());
    if (!globalThis.BarcodeDetector) throw new Error("This browser reads no QR codes from pictures. Copy the code as text, or save it as a file there and open that here.");
    const [found] = await new BarcodeDetector({ formats: ["qr_code"] }).detect(await createImageBitmap(given));
    if (!found) throw new Error("No QR code was found in this picture. Take it again, closer and straight.");
    return take(found.rawValue);
  }) });
  const open = button("From a picture or file", () => file.click());
  if (!globalThis.BarcodeDetector || !navigator.mediaDevices) return [open, file];
  const scan = button("Scan with the camera", () => attempt(scan, place, () => watch(take, scan)));
  return [scan, open, file];
}

// Looks through the camera until a code is seen, or a minute has gone.
async function watch(take, beside) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  const video = h("video", { class: "qr", playsinline: true, muted: true });
  try {
    beside.parentElement.before(video);
    video.srcObject = stream;
    await video.play();
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    for (const until = Date.now() + 60_000; Date.now() < until && video.isConnected; ) {
      const [found] = await detector.detect(video);
      if (found?.rawValue.startsWith("hypha:")) return await take(found.rawValue);
      await new Promise((next) => setTimeout(next, 150));
    }
    throw new Error("No code was seen within a minute.");
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.remove();
  }
}
