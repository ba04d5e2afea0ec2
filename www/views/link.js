// The link to this diary, to copy, and for its owner the file that puts it on a web address.

import { button, copy, h, heading, setText } from "../lib/dom.js";
import { part } from "../lib/later.js";
import { problemPlace, showProblem } from "../lib/problems.js";

export function link(app) {
  const code = h("code", { test: "link", translate: "no", tabIndex: 0 });
  const copying = button("Copy the link", () => copy(code.textContent, copying, code));
  const place = problemPlace();
  const own = h("details", { ontoggle: explain }, h("summary", {}, "Put it on your own web address"), place);
  const node = h("section", { class: "card", "aria-labelledby": "link-title" }, heading(2, "Link"),
    h("p", { class: "hint" }, "Whoever has it can find and read what is public here. Nobody can write with it."), code,
    h("div", { class: "actions" }, copying), own);
  node.querySelector("h2").id = "link-title";

  function explain() {
    if (own.open && own.childElementCount === 2) part(() => import("./begin.js")).then(({ addressFile }) => own.childElementCount === 2 && own.append(addressFile(app)), (error) => showProblem(place, error));
  }

  function update() {
    setText(code, app.hypha.home?.link ?? "");
    own.hidden = app.state !== "writer";
    node.hidden = !app.hypha.home?.link;
  }
  return { node, update };
}
