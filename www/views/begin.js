// What somebody needs who begins a diary, up to the first words in it. In one piece, because it is needed in one go.

export { address, addressFile } from "./address.js";
export { create } from "./create.js";
export { setup } from "./setup.js";
