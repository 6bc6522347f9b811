// A socket for datagrams on a reactor, UDP or Unix; datagram-sending.ts has how it sends.
//
// What comes goes to one of three: a `receive` callback, without a copy; else a `for await` loop;
// else the listeners of `'message'`. Without any of them it is read and dropped.
import { followSignal, Interest, systemError, unfollowSignal } from '@pollux/core';
import type { DatagramInbox, DatagramInfo, DatagramReader } from './datagram-inbox.js';
import type { Datagram, DatagramCallback, DatagramOptions } from './datagram-options.js';
import { SendingSocket } from './datagram-sending.js';
import type { Exchange } from './exchange.js';
import { native, SocketOption } from './native.js';
import { PullIterator } from './pull-iterator.js';
import { checkFunction } from './validate.js';

/** Callbacks in which `finish` takes what still comes; from then on nothing does. */
const OPEN_ROUNDS = 8;

export abstract class DatagramSocket<P> extends SendingSocket<P> implements DatagramReader {
  readonly #signal: AbortSignal | undefined;
  #callback: DatagramCallback<P, this> | undefined;
  #iterator: PullIterator<Datagram<P>> | undefined;
  #paused = false;
  /** Callbacks since `finish`; undefined before. */
  #finishing: number | undefined;
  /** Bytes that `finish` still takes, where the system cannot be told to drop what comes. */
  #bytesToTake: number | undefined;
  #foundEmpty = false;
  #looksSoon = false;
  /** Received when nobody could be called: nothing more is read before it is handed out. */
  #held: Datagram<P>[] = [];

  /** @internal */
  constructor(exchange: Exchange, fd: number, type: string, options: DatagramOptions) {
    super(exchange, fd, type, options);
    this.#signal = options.signal;
    if (options.signal !== undefined) followSignal(options.signal, this);
  }

  /**
   * In place of `'message'`, without a copy: `callback(buffer, offset, length, peer, socket, info)` is
   * given datagrams in a slab that all sockets of the reactor share. They are good while it is
   * called, and to be left as they are; what is to be kept has to be copied. Undefined ends it.
   */
  receive(callback: DatagramCallback<P, this> | undefined): this {
    if (callback !== undefined) checkFunction('callback', callback);
    this.#callback = callback;
    return this;
  }

  /** Stops reading until `resume`; the system drops what it has no room for. */
  pause(): this {
    this.#paused = true;
    this.settle();
    return this;
  }

  resume(): this {
    this.#paused = false;
    this.settle();
    if (this.#finishing !== undefined) this.#finishSoon();
    return this;
  }

  isPaused(): boolean {
    return this.#paused;
  }

  /**
   * The datagrams that come from now on; one loop at a time. While the loop is busy the socket is not
   * read. Leaving the loop leaves the socket open; closing the socket ends the loop. An error that has
   * no `'error'` listener, and the abortion of `signal`, are thrown in it.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Datagram<P>> {
    this.assertOpen();
    this.#iterator ??= new PullIterator<Datagram<P>>({
      onWanting: () => this.settle(),
      onReturn: () => {
        this.#iterator = undefined;
        this.settle();
      },
    });
    return this.#iterator;
  }

  /** Sends what was queued, drops what the system does not take at once, and closes. Idempotent. */
  close(): void {
    this.#close(true);
  }

  /**
   * Closes without losing a datagram that the system has for us: they are handed out, what the
   * listeners answer at once is sent, then it closes. Idempotent; keeps the process alive meanwhile.
   * Ends a pause.
   */
  finish(): void {
    if (!this.listens || this.#finishing !== undefined) return;
    this.#finishing = 0;
    this.resume();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // For subclasses.

  /** @internal The sender of a record of the inbox, or the remote of a connected socket. */
  protected abstract senderOf(record: number): P | undefined;

  /** @internal What to tell of the datagram in hand beside its bytes, if anything. */
  protected infoOf(info: DatagramInfo): DatagramInfo | undefined {
    if (!info.truncated) return undefined;
    return { truncated: true, localAddress: undefined, interfaceIndex: 0 };
  }

  /** @internal Who receives for it. */
  protected get inbox(): DatagramInbox {
    return this.exchange.datagramInbox;
  }

  /** @internal */
  abandon(): void {
    if (!this.closeDescriptor()) return;
    this.#end(true);
  }

  /** @internal */
  abort(reason: unknown): void {
    if (this.closed) return;
    this.#iterator?.fail(reason);
    this.close();
  }

  #close(drops: boolean): void {
    if (this.closed) return;
    this.exchange.flushDatagrams();
    this.closeDescriptor();
    this.#end(drops);
    this.tell('close');
  }

  #end(drops: boolean): void {
    this.queue.clear();
    this.#held = [];
    this.#iterator?.end(drops);
    this.#iterator = undefined;
    if (this.#signal !== undefined) unfollowSignal(this.#signal, this);
  }

  // Readiness.

  /** @internal */
  found(events: number): void {
    if ((events & Interest.writable) !== 0) this.sendOn();
    if ((events & Interest.readable) === 0) return;
    if (this.reads) this.inbox.add(this);
    else this.settle();
  }

  /** @internal Whether more may be read: what was read before is handed out. */
  protected get reads(): boolean {
    return !this.#paused && this.#held.length === 0 && this.#iterator?.full !== true;
  }

  /** @internal Whether a `for await` loop takes what comes. */
  protected get loops(): boolean {
    return this.#iterator !== undefined;
  }

  /** @internal */
  protected settle(): void {
    if (!this.listens) return;
    if (!this.#paused && this.#held.length > 0) this.exchange.tell(this.context, this.#deliverHeld);
    const readable = this.reads ? Interest.readable : 0;
    try {
      this.want(readable | (this.queue.polled ? Interest.writable : 0));
    } catch (error) {
      this.#break(error);
    }
  }

  /** The poller refuses it. Soon: this may be in the middle of a flush, of others' datagrams too. */
  #break(error: unknown): void {
    this.exchange.tell(this.context, () => {
      if (this.closed) return;
      const iterator = this.hears('error') ? undefined : this.#iterator;
      iterator?.fail(error);
      this.#close(true);
      if (iterator === undefined) this.announce('error', error);
    });
  }

  /** @internal */
  received(record: number, offset: number, length: number): void {
    if (this.closed) return;
    if (this.#bytesToTake !== undefined) this.#bytesToTake -= Math.max(length, 1);
    // Paused by a listener before us in this batch; or it would overtake what is held.
    if (this.#paused || this.#held.length > 0) {
      this.keep(record, offset, length);
      return;
    }
    if (length < 0) {
      this.failed(systemError(length, 'recvmmsg', this.whereTo(undefined)));
      return;
    }
    const { inbox } = this;
    const callback = this.#callback;
    if (callback !== undefined) {
      const peer = this.senderOf(record);
      if (peer === undefined) return;
      const { arena, info } = inbox;
      callback(arena, offset, length, peer, this, info);
      // What was joined with it, as long as nothing has changed.
      while (this.#callback === callback && !this.#paused && !this.closed && inbox.takeJoined()) {
        callback(arena, inbox.offset, inbox.length, peer, this, info);
      }
      return;
    }
    if (this.#iterator === undefined && this.listenerCount('message') === 0) return;
    const datagram = this.#copy(record, offset, length);
    if (datagram === undefined) return;
    if (this.#iterator !== undefined) this.#iterator.push(datagram);
    else this.announce('message', datagram.data, datagram.peer, datagram.info);
  }

  /** @internal */
  keep(record: number, offset: number, length: number): void {
    if (this.closed) return;
    if (length < 0) {
      this.failed(systemError(length, 'recvmmsg', this.whereTo(undefined)));
      return;
    }
    const datagram = this.#copy(record, offset, length);
    if (datagram === undefined) return;
    if (this.#held.push(datagram) === 1) this.settle();
  }

  #copy(record: number, offset: number, length: number): Datagram<P> | undefined {
    const { inbox } = this;
    const peer = this.senderOf(record);
    if (peer === undefined) return undefined;
    return { data: inbox.copy(offset, length), peer, info: this.infoOf(inbox.info) };
  }

  #handOut(datagram: Datagram<P>): void {
    if (this.#callback !== undefined) {
      const { data, peer, info } = datagram;
      this.#callback(data, 0, data.length, peer, this, info ?? NOTHING_KNOWN);
    } else if (this.#iterator !== undefined) this.#iterator.push(datagram);
    else this.announce('message', datagram.data, datagram.peer, datagram.info);
  }

  readonly #deliverHeld = (): void => {
    this.exchange.drive(() => {
      const held = this.closed || this.#paused ? undefined : this.#held.shift();
      if (held === undefined) return false;
      this.#handOut(held);
      return true;
    });
    this.settle();
  };

  // The end.

  #finishSoon(): void {
    if (this.#looksSoon) return;
    this.#looksSoon = true;
    this.exchange.tell(this.context, () => {
      this.#looksSoon = false;
      this.#finish();
    });
  }

  /**
   * Looks again until nothing is left, twice in a row: between the two the promises of what was
   * handed out have run, and what was answered is sent.
   */
  #finish(): void {
    this.exchange.flushDatagrams();
    // A full socket goes on when it has room, one that was paused since when it is resumed.
    if (!this.listens || this.queue.full || this.#paused) return;
    // Else a flood would keep it for ever.
    if (this.#finishing === OPEN_ROUNDS && native.stopInput(this.fd) < 0) {
      // More than that cannot have been waiting by now.
      this.#bytesToTake = native.getOption(this.fd, SocketOption.receiveBufferSize);
    }
    this.#finishing = (this.#finishing ?? 0) + 1;
    const { inbox } = this;
    inbox.add(this);
    const empty = inbox.deliver() === 0 && this.#held.length === 0;
    const enough = this.#bytesToTake !== undefined && this.#bytesToTake <= 0;
    if (enough || (empty && this.#foundEmpty)) this.#close(false);
    else this.#finishSoon();
    this.#foundEmpty = empty;
  }

  /** @internal */
  protected drained(): void {
    if (this.#finishing !== undefined) this.#finishSoon();
  }

  /** @internal */
  protected failed(error: Error): void {
    this.exchange.tell(this.context, () => {
      if (this.closed) return;
      if (this.#iterator !== undefined && !this.hears('error')) this.#iterator.interrupt(error);
      else this.announce('error', error);
    });
  }
}

const NOTHING_KNOWN: DatagramInfo = {
  truncated: false,
  localAddress: undefined,
  interfaceIndex: 0,
};
