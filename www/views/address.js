// The `.well-known/dat` file: it tells visitors of a web address whose diary lives there. Offered once after
// set-up, and later beside the link.

import { button, copy, h, heading, setText } from "../lib/dom.js";
import { domain, recall, remember } from "../lib/settings.js";

const TTL_SECONDS = 3600;
const content = (app) => `${app.hypha.home?.link ?? ""}\nTTL=${TTL_SECONDS}\n`;

/** The card after set-up; hidden unless this browser has just made the diary. */
export function address(app) {
  const outcome = h("p", { test: "claim", role: "status" });
  const file = h("details", {}, h("summary", { test: "address-more" }, `Let visitors of ${domain} find it`), addressFile(app));
  const node = h("section", { class: "card good", hidden: true }, heading(2, "Your diary is ready"), outcome, file,
    h("div", { class: "actions" }, button("Done", () => {
      remember("offer-address", undefined);
      remember("claim", undefined);
      update();
    }, { test: "address-done" })));

  function update() {
    if (app.hypha.claim) remember("claim", app.hypha.claim);
    const claim = recall("claim");
    node.hidden = recall("offer-address") === undefined;
    node.dataset.claim = claim ?? "";
    file.hidden = claim === "published";
    setText(outcome, claim === "published" ? `Whoever visits ${domain} finds it from now on. Write something below.`
      : claim === "refused" ? `The server of ${domain} did not take your address: its one-time link was used before, or it is another server. You can put the file there yourself.`
      : `Write something below. If ${domain} is yours, its visitors can be led to it.`);
  }
  return { node, update };
}

/** What to put where, with buttons to download and copy it. */
export function addressFile(app) {
  const text = h("pre", { test: "well-known", tabIndex: 0 }, content(app));
  const copying = button("Copy the text", () => copy(content(app), copying, text));
  const download = button("Download the file", () => {
    const url = URL.createObjectURL(new Blob([content(app)], { type: "text/plain" }));
    h("a", { href: url, download: "dat" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }, { test: "download-well-known" });
  return h("div", {}, h("p", {}, "Put this file on the web host, in the folder ", h("code", {}, ".well-known"), " and under the name ", h("code", {}, "dat"), "."),
    text, h("div", { class: "actions" }, download, copying));
}
