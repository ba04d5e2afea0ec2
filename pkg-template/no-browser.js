// What Node gets: everything can be imported, so that a page may be rendered on a server, and nothing can be opened.

import { HyphaError } from "./errors.js";

export { HyphaError };

const refuse = async () => {
  throw new HyphaError("UNSUPPORTED", "hypha-node runs in browsers only; load it in a page, not on a server");
};

export class Hypha {
  static init = refuse;
  static generatePassphrase = refuse;
  static open = refuse;
}

export class Space {}
export class SignIn {}
export class Request {}
