// What comes in pages, one item after the other: as an async generator over them, which would take several times as long,
// since it waits for each item thrice.

const SUPER = Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}.prototype)); // of all async iterators

export class Pages {
  #load; // gives the next page, or undefined at the end
  #page = [];
  #at = 0;
  #loading; // promise, while a page comes
  #over = false;

  constructor(load) {
    this.#load = load;
  }

  next() {
    if (this.#at < this.#page.length) return Promise.resolve({ value: this.#page[this.#at++], done: false });
    if (this.#over) return Promise.resolve({ value: undefined, done: true });
    this.#loading ??= this.#turn();
    return this.#loading.then(() => this.next());
  }

  /** No more is read. */
  return(value) {
    this.#end();
    return Promise.resolve({ value, done: true });
  }

  /** The same, and rejects. */
  throw(error) {
    this.#end();
    return Promise.reject(error);
  }

  async #turn() {
    try {
      const page = await this.#load();
      if (this.#over) return;
      if (page) [this.#page, this.#at] = [page, 0];
      else this.#end();
    } catch (error) {
      this.#end();
      throw error;
    } finally {
      this.#loading = undefined;
    }
  }

  #end() {
    [this.#over, this.#page, this.#at] = [true, [], 0];
  }
}

Object.setPrototypeOf(Pages.prototype, SUPER);
