// How many things keep the process alive: handles that are active and ref'd, and deferred calls. A
// reactor tells its attachment when the count leaves or reaches zero.

export class Liveness {
  #count = 0;
  readonly #changed: (alive: boolean) => void;

  constructor(changed: (alive: boolean) => void) {
    this.#changed = changed;
  }

  get alive(): boolean {
    return this.#count > 0;
  }

  add(): void {
    if (this.#count++ === 0) this.#changed(true);
  }

  remove(): void {
    if (--this.#count === 0) this.#changed(false);
  }
}
