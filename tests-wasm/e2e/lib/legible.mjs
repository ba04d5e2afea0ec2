// Whether a page can be used by everyone who comes: controls with names, text that stands out, nothing cut off.

import assert from "node:assert/strict";

const CONTROLS = ["button", "link", "textbox", "combobox", "checkbox", "DisclosureTriangle", "dialog"];
const CONTRAST = 4.5; // WCAG 2, level AA, for text of any size

/** Looks at a tab of Chromium as it is now, in light and dark, 320 and 1100 pixels wide. */
export async function legible(tab, what) {
  for (const scheme of ["light", "dark"]) {
    for (const width of [320, 1100]) {
      await tab.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await tab.page.setViewport({ width, height: 900 });
      const where = `${what}, ${scheme}, ${width} px`;
      assert.deepEqual(await nameless(tab), [], `${where}: controls without a name`);
      assert.deepEqual(await faint(tab), [], `${where}: text that is hard to read`);
      assert.deepEqual(await wide(tab), [], `${where}: wider than the screen`);
    }
  }
}

async function nameless(tab) {
  const session = await tab.page.createCDPSession();
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  return nodes.filter(({ ignored, role, name }) => !ignored && CONTROLS.includes(role?.value) && !name?.value).map(({ role }) => role.value);
}

function wide(tab) {
  return tab.run(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth === clientWidth) return [];
    return [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > clientWidth)
      .map((element) => `${element.tagName} ${element.className}: ${element.textContent.slice(0, 40)}`);
  });
}

// Visible text whose colour is too near to that of what it lies on.
function faint(tab) {
  return tab.run((least) => {
    const light = (colour) => {
      const [r, g, b] = colour.match(/[\d.]+/g).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
      const { backgroundColor } = getComputedStyle(element);
      return backgroundColor === "rgba(0, 0, 0, 0)" && element.parentElement ? ground(element.parentElement) : backgroundColor;
    };
    const told = (element) => element.checkVisibility() && [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    return [...document.querySelectorAll("body *")].filter((element) => told(element) && !element.closest(".unseen, .skip, .covered")).flatMap((element) => {
      const [dark, bright] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => a - b);
      const contrast = (bright + 0.05) / (dark + 0.05);
      return contrast < least ? [`${contrast.toFixed(1)}: ${element.textContent.slice(0, 40)}`] : [];
    });
  }, CONTRAST);
}
