// The place "without a hub". Few ever need it, so its code is loaded when they go there.

import { h } from "../lib/dom.js";
import { problemPlace, showProblem } from "../lib/problems.js";

export function apart(app) {
  const place = problemPlace();
  const node = h("div", {}, place);
  let view;
  let closed = false;
  import("./offline.js").then(({ offline }) => {
    if (closed) return;
    view = offline(app);
    node.append(view.node);
    view.node.querySelector("h1")?.focus({ preventScroll: true });
  }, (error) => showProblem(place, error));
  return {
    node,
    close() {
      closed = true;
      view?.close?.();
    },
  };
}
