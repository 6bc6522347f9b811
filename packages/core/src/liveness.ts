// How many things keep the process alive: watchers and timers that are active and ref'd, and
// deferred calls. A reactor tells the driver when the count leaves or reaches zero.

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

/** One thing that may keep the process alive: it counts while it is both active and ref'd. */
export class Hold {
  readonly #liveness: Liveness;
  #refd = true;
  #active = false;

  constructor(liveness: Liveness) {
    this.#liveness = liveness;
  }

  get refd(): boolean {
    return this.#refd;
  }

  set refd(refd: boolean) {
    this.#set(refd, this.#active);
  }

  get active(): boolean {
    return this.#active;
  }

  set active(active: boolean) {
    this.#set(this.#refd, active);
  }

  #set(refd: boolean, active: boolean): void {
    const before = this.#refd && this.#active;
    this.#refd = refd;
    this.#active = active;
    const after = refd && active;
    if (after && !before) this.#liveness.add();
    if (before && !after) this.#liveness.remove();
  }
}
