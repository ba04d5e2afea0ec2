// Small helpers that build elements. No markup is ever parsed from text, so nothing that a peer or a person
// wrote can become HTML, and a strict content security policy (no inline script, no inline style) holds.

import { domain } from "./settings.js";

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["checked", "disabled", "hidden", "htmlFor", "readOnly", "tabIndex", "value"]);
let lastId = 0;

/** A fresh id, for tying a label or a hint to its field. */
export const freshId = () => `x${++lastId}`;

/**
 * Builds an element. `test` becomes data-testid, `on…` become listeners, a few names are set as properties and
 * the rest as attributes; false, null and undefined are left out. Children are elements or plain text.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "test") element.dataset.testid = value;
    else if (PROPERTIES.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** A drawing from the symbols in index.html; decoration only, so hidden from screen readers. */
export function drawing(symbol, className) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#${symbol}`);
  svg.append(use);
  return svg;
}

/** Puts text in only where it differs, so that live regions do not repeat themselves. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A heading that can take the focus when its section appears. */
export const heading = (level, text) => h(`h${level}`, { tabIndex: -1 }, text);

/** A button that submits nothing. */
export const button = (label, onclick, props = {}) => h("button", { type: "button", onclick, ...props }, label);

/**
 * A labelled field: `{ node, input, complain }`. `complain(text)` marks the field and says why below it;
 * `complain("")` takes that back. Typing takes it back too.
 */
export function field({ label, hint, input, after }) {
  input.id ||= freshId();
  const note = h("p", { class: "problem", id: freshId(), role: "alert" });
  const help = hint && h("p", { class: "hint", id: freshId() }, hint);
  input.setAttribute("aria-describedby", [help?.id, note.id].filter(Boolean).join(" "));
  const complain = (text) => {
    setText(note, text);
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };
  input.addEventListener("input", () => complain(""));
  const line = after ? h("div", { class: "line" }, input, after) : input;
  return { node: h("div", { class: "field" }, h("label", { htmlFor: input.id }, label), line, help, note), input, complain };
}

/** A checkbox with its label and a hint: `{ node, input }`. */
export function tick({ label, hint, test, checked = false }) {
  const help = hint && h("p", { class: "hint", id: freshId() }, hint);
  const input = h("input", { type: "checkbox", id: freshId(), test, checked, "aria-describedby": help?.id });
  return { node: h("div", { class: "tick" }, input, h("div", {}, h("label", { htmlFor: input.id }, label), help)), input };
}

/** A passphrase field with a button that shows what is typed. Password managers file it under the domain. */
export function passphraseField({ label, hint, test, autocomplete = "current-password" }) {
  const input = h("input", { type: "password", test, autocomplete, autocapitalize: "none", spellcheck: "false" });
  const show = button("Show", () => {
    const hidden = input.type === "password";
    input.type = hidden ? "text" : "password";
    setText(show, hidden ? "Hide" : "Show");
  }, { class: "quiet", "aria-label": "Show or hide the passphrase" });
  const account = h("input", { type: "text", autocomplete: "username", value: domain, readOnly: true, hidden: true });
  return field({ label, hint, input, after: [show, account] });
}

/** Copies text and says so on the button; where the clipboard is closed to us, selects `element` instead. */
export async function copy(text, control, element) {
  const label = control.dataset.label ??= control.textContent;
  try {
    await navigator.clipboard.writeText(text);
    setText(control, "Copied");
  } catch {
    getSelection()?.selectAllChildren(element);
    setText(control, "Selected: copy it now");
  }
  setTimeout(() => setText(control, label), 2500);
}

/** Tells screen readers something, without moving anything on the page. */
export function announce(text) {
  const region = document.getElementById("announcer");
  if (region) region.textContent = text;
}

/** Builds an element of a drawing. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
