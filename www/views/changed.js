// The host names another diary than the one that was first seen here. Nothing changes until the person decides.

import { button, h, heading } from "../lib/dom.js";
import { attempt, problemPlace } from "../lib/problems.js";
import { domain } from "../lib/settings.js";

export function changed(app) {
  const known = h("code", {}), named = h("code", {});
  const place = problemPlace();
  const choose = (link) => attempt(node, place, async () => {
    await app.hypha.pin(link());
    app.update();
  });
  const node = h("section", { class: "card warn", test: "changed", hidden: true }, heading(2, `${domain} now points to somebody else`),
    h("div", { role: "alert" },
      h("p", {}, "When you were here before, this address led to one diary. Now it names another one. Perhaps its owner began anew. Perhaps somebody has taken over the web host and wants to be taken for them."),
      h("p", {}, "If you did not expect this, stay with the one you know, and ask the owner in some other way."),
      h("p", {}, "Known before: ", known), h("p", {}, "Named now: ", named)),
    place,
    h("div", { class: "actions" },
      button("Stay with the one I know", () => choose(() => app.hypha.home.link), { class: "main", test: "keep-pinned" }),
      button("Go to the new one", () => choose(() => app.hypha.otherLink), { class: "danger", test: "take-new" })));
  return {
    node,
    update() {
      const { otherLink, home } = app.hypha ?? {};
      node.hidden = !otherLink;
      known.textContent = home?.link ?? "";
      named.textContent = otherLink ?? "";
    },
  };
}
