// What is there while the node opens. After some seconds it says that this is longer than usual (by style alone).

import { drawing, h } from "../lib/dom.js";

export function loading() {
  return {
    node: h("section", { class: "note", "aria-busy": "true" }, drawing("mycelium", "mycelium growing"),
      h("p", {}, "Opening what is kept in this browser…"),
      h("p", { class: "slow" }, "This takes longer than usual. If other tabs of this page are open, look there too.")),
  };
}
