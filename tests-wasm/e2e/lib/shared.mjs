// One node in several tabs of a browser, on pages with nothing else on them.

/** Opens the same node in `count` tabs of one browser; the first one leads. */
export async function tabs(w, count) {
  const server = await w.server();
  const browser = await w.browser("chrome");
  const all = [];
  for (let i = 0; i < count; i++) {
    const tab = await browser.open(server.url);
    await opened(tab);
    all.push(tab);
  }
  return { server, browser, all };
}

/** Opens a node in a tab beside the page's own: that of the tests of tabs, or one with these options. */
export async function opened(tab, options = { name: "shared by tabs" }) {
  await tab.run(async (options) => {
    const { Hypha } = await import("/pkg/index.js");
    window.Hypha = Hypha;
    window.node = await Hypha.open(options);
    window.states = [];
    node.addEventListener("statechange", ({ detail }) => states.push(detail));
    window.hubs = async () => (await node.stats()).hubs.map(({ url }) => url);
    window.leads = async () => (await node.stats()).memory > 0;
    window.until = async (what, done) => {
      for (const end = Date.now() + 90_000; Date.now() < end; ) {
        if (await done()) return;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      throw new Error(`never ${what}: ${node.state} after ${states}`);
    };
  }, options);
  return tab;
}

/** Signs up in a tab, without staying signed in. */
export const signUp = (tab) => tab.run(async () => {
  const passphrase = await Hypha.generatePassphrase();
  await node.signUp(passphrase, { device: "Tabs" });
  return passphrase;
});

/** Whether the node runs in this tab. */
export const leads = (tab) => tab.run(async () => (await node.stats()).memory > 0);

/** How many entries this device wrote. */
export const length = (tab) => tab.run(() => node.home.writers().find(({ self }) => self).length);
