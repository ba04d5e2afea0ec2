// What goes by hand: a sync file, a back-up of the whole node, and a copy of the diary for any web host.

import { button, h, heading, setText } from "../lib/dom.js";
import { download, picker, tar } from "../lib/files.js";
import { attempt, problemPlace } from "../lib/problems.js";

const day = () => new Date().toISOString().slice(0, 10);

/** The cards. */
export const files = (app) => [sync(app), backup(app), web(app)].filter(Boolean);

function card(title, ...content) {
  const place = problemPlace();
  const said = h("p", { role: "status" });
  const parts = content.map((part) => (typeof part === "function" ? part(place, (text) => setText(said, text)) : part));
  return h("div", { class: "card" }, heading(2, title), parts, place, said);
}

/** A button that works on its own card. */
const act = (label, test, work) => (place, say) => {
  const control = button(label, () => attempt(control, place, async () => say(await work(say))), { test });
  return h("div", { class: "actions" }, control);
};

/** A file field that does. */
const open = (label, test, work) => (place, say) => picker({ label, test, place, take: async (file) => say(await work(file)) });

const sync = (app) => app.hypha.home && card("Sync file",
  h("p", {}, "All of this diary that is here, private posts sealed. Carry it to another browser of this diary, on a stick or by mail, and open it there: what that one lacks is added, and nothing is lost."),
  act("Save a sync file", "sync-save", async () => {
    download(await app.hypha.home.exportSync(), `${document.title || "hypha"}-${day()}.hypha-sync`);
    return "Saved.";
  }),
  open("Open a sync file", "sync-open", async (file) => {
    const { fresh } = await app.hypha.importSync(file);
    return fresh > 0 ? "What was missing here has been added." : "Everything in this file was here already.";
  }));

/** The back-up: also on the first screen, where it is opened. */
export const restore = (app) => card("Restore a back-up",
  h("p", {}, "A file that was saved under “Without a hub”. No key is in it: to write here, sign in with the passphrase afterwards."),
  open("Back-up file", "backup-open", async (file) => {
    await app.hypha.import(file);
    app.update();
    return "Restored. Sign in with the passphrase to write.";
  }));

const backup = (app) => h("div", {},
  card("Back-up",
    h("p", {}, "Everything that this browser has of every space. No key and no passphrase is in it, and private posts are sealed: keep your eight words as well."),
    act("Save a back-up", "backup-save", async () => {
      download(await app.hypha.export(), `hypha-${day()}.hypha`);
      return "Saved.";
    })),
  restore(app));

const web = (app) => app.state === "writer" && card("A copy for a web host",
  h("p", {}, "What is public, as plain files: unpacked into ", h("code", {}, ".well-known/hypha-snapshot/"), " of any web host, they show the diary also when none of your browsers is open. Each post is signed, so the host can change nothing unseen. Make it anew when you have written."),
  act("Save the copy", "snapshot-save", async (say) => {
    const onprogress = ({ done, total }) => say(`${done} of ${total} parts…`);
    download(await tar(app.hypha.home.exportSnapshot({ onprogress }), "hypha-snapshot/"), `hypha-snapshot-${day()}.tar`);
    return "Saved.";
  }));
