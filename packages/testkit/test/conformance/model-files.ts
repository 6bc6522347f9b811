// The descriptors of the test by model: numbers, the open files behind them, and what poll(2), the
// oracle, said of each since the poller began to look.
//
// A number is far above those that anything else in this process gets, so one that is closed stays
// closed until the test gives it another file. A file may have two numbers, and may outlive both in
// a dup that nobody watches: a ghost.
import type { Capabilities } from '@pollux/core';
import { Interest } from '@pollux/core';
import {
  close,
  drain,
  dup,
  dup2,
  fill,
  kernelPoll,
  type PollName,
  pipe,
  recvUrgent,
  resetOnClose,
  sendUrgent,
  shutdown,
  socketpair,
  tcpPair,
  write,
} from '@pollux/testkit';
import {
  allPollNames,
  type Scene,
  settled,
  type Verdict,
  verdict,
} from '@pollux/testkit/conformance';
import type { Dice } from './model-dice.js';

const kinds = ['reader', 'writer', 'pair', 'pair', 'tcp'] as const;
const FIRST_NUMBER = 600;
const NEVER = Number.NEGATIVE_INFINITY;

/** An open file; `helper` is its other end, undefined once closed. */
export interface OpenFile {
  readonly kind: (typeof kinds)[number];
  helper: number | undefined;
  /** How many of the slots' numbers it has. */
  numbers: number;
  /** Whether a dup of it stays open behind our back. */
  haunts: boolean;
  /** Edge: it may be reported up to this harvest. */
  newsUntil: number;
}

export interface Slot {
  readonly number: number;
  file: OpenFile | undefined;
  /** The files it has named. */
  readonly past: Set<OpenFile>;
  /** What poll(2) said since the wait under way began, oldest first. */
  moments: (readonly PollName[])[];
  /** Its registration was changed since the wait under way began: what that finds may be stale. */
  touched: boolean;
  /** The harvest before which its number was closed. */
  closedAt: number;
}

export class Files {
  readonly slots: Slot[];
  readonly #scene: Scene;
  readonly #dice: Dice;
  /** Called around each change of a file, with the slots it has. */
  readonly #changing: (file: OpenFile, change: () => void) => void;

  constructor(
    scene: Scene,
    dice: Dice,
    count: number,
    changing: (file: OpenFile, change: () => void) => void,
  ) {
    this.#scene = scene;
    this.#dice = dice;
    this.#changing = changing;
    this.slots = Array.from({ length: count }, (_, i): Slot => {
      const number = FIRST_NUMBER + i;
      const file = this.#open(number);
      const past = new Set([file]);
      return { number, file, past, moments: [], touched: false, closedAt: NEVER };
    });
    this.look();
  }

  /** The slots that name a file. */
  slotsOf(file: OpenFile): Slot[] {
    return this.slots.filter((slot) => slot.file === file);
  }

  /** Asks the oracle of every number; this is the one moment that counts from here on. */
  look(): void {
    const open = this.slots.filter(({ file }) => file !== undefined);
    const seen = kernelPoll(
      open.map(({ number }) => number),
      allPollNames,
    );
    for (const slot of this.slots) slot.moments = [];
    for (const [i, slot] of open.entries()) slot.moments = [seen[i]!];
  }

  /** Asks it of these, and notes the moment. */
  note(slots: readonly Slot[]): void {
    for (const slot of slots) {
      if (slot.file !== undefined) slot.moments.push(kernelPoll([slot.number], allPollNames)[0]!);
    }
  }

  /** Does something at random to the file of a slot; says what. */
  disturb(slot: Slot): string {
    const { file, number } = slot;
    if (file === undefined) return 'nothing';
    const { helper } = file;
    const actions: Record<string, () => void> = {
      drain: () => ignoringReset(() => drain(number)),
    };
    const talks = file.kind !== 'writer';
    const listens = file.kind === 'writer' || file.kind === 'pair';
    const socket = file.kind === 'pair' || file.kind === 'tcp';
    if (listens) actions.fill = () => ignoringReset(() => fill(number));
    if (!talks) delete actions.drain;
    if (helper !== undefined) {
      if (talks) {
        actions.write = () => {
          ignoringReset(() => write(helper, 'x'));
          this.#settle(file, number, 'in');
        };
      }
      if (listens) actions.empty = () => ignoringReset(() => drain(helper));
      if (this.#dice.once(4)) Object.assign(actions, this.#endings(file, number, helper));
    }
    if (socket && this.#dice.once(12)) {
      const how = this.#dice.pick(['read', 'write', 'both'] as const);
      actions[`shutdown ${how}`] = () => ignoringReset(() => shutdown(number, how));
    }
    const name = this.#dice.pick(Object.keys(actions));
    this.#changing(file, () => actions[name]?.());
    return name;
  }

  /** Closes the number of a slot. */
  close(slot: Slot, harvest: number): void {
    const { file } = slot;
    if (file === undefined) return;
    close(slot.number);
    file.numbers--;
    Object.assign(slot, { file: undefined, closedAt: harvest });
  }

  /**
   * Another file under the number of a slot, in one step; sometimes one that another slot has too,
   * and sometimes the old one stays open as a ghost.
   */
  replace(slot: Slot): string {
    const { file: old, number } = slot;
    let how = 'a new file';
    if (old !== undefined) {
      old.numbers--;
      if (this.#dice.once(2)) {
        this.#scene.fds.track(dup(number));
        old.haunts = true;
        how += ', and a ghost of the old one';
      }
    }
    const twin = this.#dice.pick(this.slots);
    // One that this number had before could be a ghost that comes back to life.
    if (this.#dice.once(3) && twin.file !== undefined && !slot.past.has(twin.file)) {
      dup2(twin.number, number);
      twin.file.numbers++;
      slot.file = twin.file;
      how = how.replace('a new file', `the file of ${twin.number}`);
    } else {
      slot.file = this.#open(number);
    }
    slot.past.add(slot.file);
    slot.closedAt = NEVER;
    slot.moments = [];
    this.note([slot]);
    return how;
  }

  /** Closes every number that is open. */
  closeAll(): void {
    for (const slot of this.slots) this.close(slot, 0);
  }

  /** What ends a connection, half of it, or is urgent in it. */
  #endings(file: OpenFile, number: number, helper: number): Record<string, () => void> {
    const hangUp = () => {
      if (file.kind === 'tcp') resetOnClose(helper);
      close(helper);
      file.helper = undefined;
      this.#settle(file, number, 'hup');
    };
    if (file.kind === 'reader' || file.kind === 'writer') return { hangUp };
    const halfClose = () => {
      ignoringReset(() => shutdown(helper, 'write'));
      this.#settle(file, number, 'rdhup');
    };
    if (file.kind === 'pair') {
      const reset = () => {
        ignoringReset(() => write(number, 'unread'));
        hangUp();
      };
      return { hangUp, halfClose, reset };
    }
    const urgent = () => {
      ignoringReset(() => sendUrgent(helper, 33));
      this.#settle(file, number, 'pri');
    };
    const takeUrgent = () => ignoringReset(() => recvUrgent(number));
    return { hangUp, halfClose, urgent, takeUrgent };
  }

  /** TCP takes its time; all else is there at once. */
  #settle(file: OpenFile, number: number, name: PollName): void {
    if (file.kind !== 'tcp') return;
    const seen = kernelPoll([number], allPollNames)[0]!;
    // After a half-close of either side not everything arrives any more.
    if (seen.includes('rdhup') || seen.includes('hup')) return;
    settled(number, [name]);
  }

  /** A file of some kind under this number, which may name another. */
  #open(number: number): OpenFile {
    const kind = this.#dice.pick(kinds);
    const make = { reader: pipe, writer: () => pipe().reverse(), pair: socketpair, tcp: tcpPair };
    const [own, helper] = make[kind]() as [number, number];
    dup2(own, number);
    close(own);
    this.#scene.fds.track(helper);
    return { kind, helper, numbers: 1, haunts: false, newsUntil: -1 };
  }
}

/**
 * What must and may be reported of a slot to somebody with this interest, after all that the oracle
 * said since the wait began.
 */
export function verdictOf(slot: Slot, interest: number, capabilities: Capabilities): Verdict {
  const only = { reader: 'readable', writer: 'writable', pair: undefined, tcp: undefined } as const;
  const direction = slot.file && only[slot.file.kind];
  let must = slot.file === undefined || slot.moments.length === 0 ? 0 : -1;
  let may = 0;
  for (const seen of slot.moments) {
    const here = verdict(seen, interest, capabilities, direction);
    may |= here.may;
    must &= here.must;
    // select has no eyes for a hangup where only writing is asked for (docs/portability.md).
    if (!capabilities.hangupHint && !seen.includes('out') && !seen.includes('err')) {
      must &= ~Interest.writable;
    }
  }
  return { must, may };
}

/** A connection that is broken already is as good as one that is not. */
function ignoringReset(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const expected = ['ECONNRESET', 'EPIPE', 'ENOTCONN', 'EAGAIN', 'EINVAL'];
    if (!expected.includes(code)) throw error;
  }
}
