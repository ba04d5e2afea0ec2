// Files in and out of the page: a download, a button that takes a file, and several files as one.

import { freshId, h } from "./dom.js";
import { attempt } from "./problems.js";

/** Hands a blob to the person under a name. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A labelled file field that runs `take(file)` at once, its error shown in `place`. */
export function picker({ label, test, place, take, accept }) {
  const input = h("input", { type: "file", id: freshId(), test, accept, onchange });
  return h("div", { class: "field" }, h("label", { htmlFor: input.id }, label), input);

  async function onchange() {
    const [file] = input.files;
    if (file) await attempt(input, place, () => take(file));
    input.value = "";
  }
}

/** Files as one tar archive (ustar), which every system unpacks: an iterable of `{ name, blob }`. */
export async function tar(files, folder) {
  const parts = [];
  for await (const { name, blob } of files) {
    const head = new Uint8Array(512);
    const put = (text, at) => head.set(new TextEncoder().encode(text), at);
    const octal = (number, digits) => number.toString(8).padStart(digits, "0");
    put(`${folder}${name}`, 0);
    put("0000644\0" + "0000000\0".repeat(2), 100);
    put(`${octal(blob.size, 11)}\0${octal(Math.floor(Date.now() / 1000), 11)}\0        0`, 124);
    put("ustar\0" + "00", 257);
    put(`${octal(head.reduce((sum, byte) => sum + byte, 0), 6)}\0 `, 148);
    parts.push(head, blob, new Uint8Array((512 - (blob.size % 512)) % 512));
  }
  return new Blob([...parts, new Uint8Array(1024)], { type: "application/x-tar" });
}
