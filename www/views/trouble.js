// When the node does not open: what happened, and what the person can do about it. Each kind of trouble has its
// own ways out; "try again" is always one of them.

import { button, h, heading } from "../lib/dom.js";
import { describe } from "../lib/words.js";
import { chooseHubs, domain, settings, showLink } from "../lib/settings.js";
import { linkForm } from "./link-form.js";

export function trouble(app) {
  const { problem } = app;
  const node = h("section", { class: "card warn trouble", test: "trouble", "data-code": problem?.code ?? "" });
  const { title, body, ways = [] } = (KINDS[problem?.code] ?? other)(app, problem);
  const { code } = describe(problem);
  node.append(heading(1, title), h("div", { role: "alert" }, body), code ? h("p", {}, h("small", {}, code.slice(0, 400))) : "",
    h("div", { class: "actions" }, ways, button("Try again", () => app.open(), { test: "try-again" })));
  return { node };
}

const p = (...text) => h("p", {}, text);

const KINDS = {
  BAD_LINK(app) {
    const typed = app.choice.link ?? settings.link;
    if (typed) {
      return {
        title: "This link cannot be read",
        body: [p("A Hypha link starts with hypha:// and has 64 more characters, the digits 0 to 9 and the letters a to f. Perhaps a part of it got lost when it was copied."), linkForm(app, typed)],
        ways: [button("Go on without the link", () => {
          delete app.choice.link;
          showLink(undefined);
          return app.open();
        }, { test: "without-link" })],
      };
    }
    return {
      title: `${domain} does not say properly who lives here`,
      body: [p("The file ", h("code", {}, "/.well-known/dat"), " should hold one line with a link. The host sent something else, most likely a web page. If the host is yours, correct the file; if not, tell its owner."),
        p("If you have the link itself, you can open it here:"), linkForm(app)],
    };
  },

  STORAGE: (app) => ({
    title: "The browser does not let this page keep anything",
    body: [p("This often means a private window, or a setting that blocks site data. In a normal window everything works."),
      p(h("strong", {}, "You can go on without keeping anything: "), "then all of it, your keys too, is gone when you close this tab. Good for reading, not for starting a diary.")],
    ways: [button("Go on without keeping anything", () => app.open({ storage: "memory" }), { test: "use-memory" })],
  }),

  CLOSED: () => ({
    title: "Another tab got in the way",
    body: [p("Tabs of this page share what they keep, and this one lost touch with the others. Trying again usually helps; if not, close the other tabs.")],
  }),

  HUB: (app) => ({
    title: "A hub cannot be used",
    body: [p("One of the addresses is not that of a hub: ", app.hubs.join(", "))],
    ways: [button("Go on without hubs", () => {
      chooseHubs([]);
      return app.open();
    }, { test: "without-hubs" })],
  }),

  TIMEOUT: () => ({ title: "No answer", body: [p("Nobody answered in time. Check that you are online, then try again.")] }),
  QUOTA: () => ({ title: "The browser is full", body: [p(describe({ code: "QUOTA" }).text)] }),
  CORRUPT: () => ({ title: "Something kept here is damaged", body: [p("What is kept in this browser cannot be read as it should. Nothing was deleted. Your other devices still have what they had.")] }),
  UNSUPPORTED: () => ({ title: "This browser is missing something", body: [p(describe({ code: "UNSUPPORTED" }).text)] }),
};

function other(app, problem) {
  if (!app.Hypha) {
    return { title: "The page is not complete", body: [p("Its program could not be loaded. Check that you are online, then reload the page. If the host is yours: the folder ", h("code", {}, "pkg"), " may be missing.")],
      ways: [button("Reload", () => location.reload(), { class: "main" })] };
  }
  return { title: "It could not be opened", body: [p(describe(problem).text)] };
}
