// The questions before a device is removed, or something that it wrote is hidden.

import { h, passphraseField, tick } from "../lib/dom.js";
import { descendants, named, quoted } from "../lib/devices.js";
import { ask } from "../lib/dialog.js";
import { sinceField } from "../lib/since.js";
import { moment, relative } from "../lib/time.js";

/** Removes a device: for good, or provisionally unless it is that already or only the passphrase can settle it. */
export function remove(app, writer) {
  const { key, lastTime, state } = writer;
  const { home } = app.hypha;
  const only = { cut: "It is removed provisionally. ", forked: "It wrote two different histories, as a copy of it would. The one that is known here then stands, up to now. " }[state];
  const others = descendants(key, home.writers());
  const secret = passphraseField({ label: "Passphrase", hint: "Only for removing it for good.", test: "remove-passphrase" });
  const along = others.length > 0 && tick({ label: `Remove ${quoted(others)} as well`,
    hint: "Let in by nobody but this device, or those that it let in.", test: "remove-descendants" });
  const since = sinceField({ label: "Hide what it wrote since…", none: "no, go on showing all of it" });

  async function cut(words, how) {
    const date = since.date();
    if (date === undefined) return false;
    await home.cut(key, { passphrase: words, descendants: Boolean(along && along.input.checked) });
    if (date) await home.hide(key, { since: date });
    app.toast(`${quoted([writer])} was removed ${how}.`);
    app.update("writers");
  }
  ask({
    title: `Remove “${named(writer)}”${only ? " for good" : ""}?`,
    secret,
    body: [
      h("p", {}, lastTime ? `It last wrote ${relative(lastTime)} (${moment(lastTime)}). ` : "It has not written anything yet. ",
        only ?? "Removed, it can write nothing more and let nobody in, and it reads nothing private that you write from now on. What it has read already, it may have kept."),
      h("p", {}, h("strong", {}, "For good, with the passphrase: "), "whatever it still does, nothing of it will ever count."),
      !only && h("p", {}, h("strong", {}, "Provisionally, without: "), "it is out at once, but it could still remove your other devices in return, until you remove it for good."),
      secret.node, along && along.node, since.node,
    ],
    choices: [
      { label: "Remove for good", test: "remove-confirm", danger: true, act() {
        if (secret.input.value.trim()) return cut(secret.input.value, "for good");
        secret.complain(only ? "Type your passphrase here." : "Type your passphrase, or remove it provisionally.");
        secret.input.focus();
        return false;
      } },
      ...(only ? [] : [{ label: "Remove provisionally", test: "remove-provisional", act: () => cut(undefined, "provisionally") }]),
    ],
  });
}

/** Hides what a device wrote since some time. */
export function hide(app, writer) {
  const since = sinceField({ label: "Since…" });
  ask({
    title: `Hide what “${named(writer)}” wrote`,
    body: [h("p", {}, "It disappears for all devices and all readers, and so does what it writes from now on. Nothing is deleted: you find it under “What was taken away”, and can show it again."), since.node],
    choices: [{ label: "Hide it", test: "hide-confirm", danger: true, async act() {
      const date = since.date();
      if (!date) return false;
      await app.hypha.home.hide(writer.key, { since: date });
      app.update("writers");
    } }],
  });
}
