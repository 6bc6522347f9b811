// What a reactor should know of its timers and deferred calls, on a clock that the test moves. Times
// are multiples of a quarter, so that sums of them are exact.
import type { Timer } from '@pollux/core';

export interface TimerModel {
  readonly name: string;
  /** Undefined for the timer of `stop(afterMs)`, which calls nobody. */
  readonly timer: Timer | undefined;
  readonly repeats: boolean;
  delay: number;
  deadline: number;
  order: number;
  active: boolean;
  closed: boolean;
  refd: boolean;
}

export class TimerModels {
  readonly all: TimerModel[] = [];
  #order = 0;
  #due: TimerModel[] = [];

  /** It was set, or set anew. */
  set(model: TimerModel, delay: number, now: number): void {
    Object.assign(model, { delay, deadline: now + delay, order: this.#order++, active: true });
    this.#due = this.#due.filter((other) => other !== model);
  }

  close(model: TimerModel): void {
    Object.assign(model, { active: false, closed: true });
    this.#due = this.#due.filter((other) => other !== model);
  }

  active(): TimerModel[] {
    return this.all.filter(({ active }) => active);
  }

  /** The timers of a turn begin at this time. */
  begin(now: number): void {
    this.#due = this.active()
      .filter(({ deadline }) => deadline <= now)
      .sort((a, b) => a.deadline - b.deadline || a.order - b.order);
  }

  /** Whether the next one is that of a stop; takes it. */
  takeStop(): boolean {
    if (this.#due[0] === undefined || this.#due[0].timer !== undefined) return false;
    this.close(this.#due[0]);
    return true;
  }

  called(model: TimerModel, now: number): void {
    const next = this.#due.shift();
    if (next !== model) {
      const { deadline, closed } = model;
      const wrong = `${model.name} (deadline ${deadline}, closed: ${closed}) is called at ${now}`;
      throw new Error(`${wrong}, but ${next?.name ?? 'none'} is next`);
    }
    if (!model.repeats) {
      model.active = false;
      return;
    }
    // The first time on its grid that lies in the future.
    while (model.deadline <= now) model.deadline += model.delay;
    model.order = this.#order++;
  }

  /** The timers of a turn are over. */
  done(): void {
    const [missed] = this.#due;
    if (missed !== undefined) throw new Error(`${missed.name} was due, and is not called`);
  }

  /** They were stopped in the middle: the rest is due in the next turn. */
  stopped(): void {
    this.#due = [];
  }
}
