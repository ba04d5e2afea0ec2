// The two questions about this browser when it becomes a device: its name, and whether it stays signed in.

import { field, h, tick } from "../lib/dom.js";
import { deviceName } from "../lib/device.js";
import { recall } from "../lib/settings.js";

const REMEMBER_HINT = "Then nobody asks for the passphrase here again. It also means that whoever can open this browser profile can write as you: tick it only on a device that is yours alone.";

export const staySignedIn = () => tick({ label: "Stay signed in on this device", hint: REMEMBER_HINT, test: "remember" });

export const deviceField = () => field({
  label: "Name of this device",
  hint: "So that you recognise it in the list of your devices. Visitors do not see it.",
  input: h("input", { type: "text", test: "device-name", value: recall("device") ?? deviceName(), autocomplete: "off" }),
});
