// A name for this browser that its owner will recognise in a list: "Firefox on Ubuntu".

const BROWSERS = [
  [/\bEdgA?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\b(Firefox|FxiOS)\//, "Firefox"],
  [/\b(HeadlessChrome|Chrome|CriOS)\//, "Chrome"],
  [/\bSafari\//, "Safari"],
];

// Order matters: Android says "Linux" too, and an iPhone says "like Mac OS X".
const SYSTEMS = [
  [/iPhone|iPod/, "iPhone"],
  [/iPad/, "iPad"],
  [/Android/, "Android"],
  [/CrOS/, "ChromeOS"],
  [/Ubuntu/, "Ubuntu"],
  [/Fedora/, "Fedora"],
  [/Linux|X11/, "Linux"],
  [/Windows/, "Windows"],
  [/Macintosh|Mac OS X/, "Mac"],
];

const first = (table, text, otherwise) => table.find(([pattern]) => pattern.test(text))?.[1] ?? otherwise;

/** A first guess that the person may change. */
export function deviceName(agent = navigator.userAgent) {
  const chromium = globalThis.navigator?.userAgentData?.brands?.some(({ brand }) => brand === "Google Chrome") === false;
  const browser = first(BROWSERS, agent, "Browser");
  return `${browser === "Chrome" && chromium ? "Chromium" : browser} on ${first(SYSTEMS, agent, "this computer")}`;
}
