// What hypercore takes for granted from Node.js.

import { Buffer } from "buffer";
import process from "process/browser.js";

process.nextTick = (work, ...given) => queueMicrotask(() => work(...given));
Object.assign(globalThis, { Buffer, process });
export { Buffer, process };
