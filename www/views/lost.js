// This browser was here before, and has thrown away what it kept. Better said than looking like a first visit.

import { button, h, heading, setText } from "../lib/dom.js";
import { attempt, problemPlace } from "../lib/problems.js";

export function lost(app) {
  const what = h("p");
  const place = problemPlace();
  const back = button("", () => attempt(node, place, async () => {
    await app.hypha.pin(app.hypha.evicted.link);
    app.update();
  }), { class: "main", test: "lost-open" });
  const signIn = h("a", { href: "#sign-in", test: "lost-sign-in" }, "Sign in again");
  const node = h("section", { class: "card warn", test: "lost", hidden: true }, heading(2, "This browser has lost what it kept here"),
    h("div", { role: "alert" }, what,
      h("p", {}, "Browsers do that to make room, or when a page was not visited for a while. Nothing is lost on your other devices, nor in a file that you saved.")),
    place,
    h("div", { class: "actions" }, back, button("Do not show this again", () => {
      app.hypha.restEvicted();
      app.update();
    }, { test: "lost-rest" })));
  return {
    node,
    update() {
      const { evicted, home } = app.hypha ?? {};
      node.hidden = !evicted;
      back.hidden = home !== undefined;
      setText(back, evicted?.device ? "Open your diary again" : "Open that diary again");
      if (!evicted?.device) setText(what, home ? "You were reading a diary here. It comes back from others who have it." : "You were reading a diary here. Its link is still known.");
      else if (home) signIn.isConnected || what.replaceChildren("You were signed in. ", signIn, " with your passphrase; what you wrote comes back from your other devices.");
      else setText(what, "You were signed in. Open your diary again, and sign in with your passphrase; what you wrote comes back from your other devices.");
    },
  };
}
