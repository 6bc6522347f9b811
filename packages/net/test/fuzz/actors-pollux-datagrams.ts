// The UDP sockets of @pollux/net as actors: with `'message'` or `receive`, runs of datagrams joined
// or not (GSO, GRO), with packet info or without. And echoes, which send back what lies in the slab.
import { strict as assert } from 'node:assert';
import type { Reactor } from '@pollux/core';
import { type DatagramInfo, type Endpoint, UdpSocket } from '@pollux/net';
import {
  type DatagramActor,
  type DatagramKit,
  type DatagramOptions,
  type DatagramSink,
  LOOPBACK,
  nobody,
  type Peer,
} from './actors.js';
import type { Dice } from './dice.js';

const ignore = () => {};
const PAD = 5;

class PolluxDatagrams implements DatagramActor {
  readonly kind = 'pollux';
  readonly exact = true;
  sink: DatagramSink = nobody;
  readonly #socket: UdpSocket;
  readonly #dice: Dice;
  readonly #packetInfo: boolean;

  constructor(socket: UdpSocket, dice: Dice, packetInfo: boolean) {
    this.#socket = socket;
    this.#dice = dice;
    this.#packetInfo = packetInfo;
    if (dice.once(2)) {
      socket.receive((buffer, offset, length, peer, _socket, info) => {
        this.#check(info);
        this.sink.onMessage(buffer.subarray(offset, offset + length), peer);
      });
    } else {
      socket.on('message', (data, peer, info) => {
        if (!packetInfo) assert.equal(info, undefined);
        else this.#check(info);
        this.sink.onMessage(data, peer);
      });
    }
    socket.on('error', (error) => this.sink.onError(error));
    socket.on('drain', () => this.sink.onDrain());
    socket.on('close', () => this.sink.onClose());
    // Unless it was closed at once.
    queueMicrotask(() => {
      if (!socket.closed) this.sink.onReady();
    });
  }

  #check(info: DatagramInfo | undefined): void {
    if (!this.#packetInfo) {
      assert.equal(info?.localAddress, undefined);
      return;
    }
    assert.equal(info?.localAddress, LOOPBACK, 'packet info of another address');
    assert.ok((info?.interfaceIndex ?? 0) > 0, 'packet info without an interface');
    assert.equal(info?.truncated, false);
  }

  chatter(): void {
    if (this.#socket.listeners('message').includes(ignore)) this.#socket.off('message', ignore);
    else this.#socket.on('message', ignore);
  }

  send(data: Buffer, peer?: Peer): boolean {
    const socket = this.#socket;
    if (this.#dice.once(3)) {
      const larger = Buffer.alloc(data.length + 2 * PAD, 0xee);
      data.copy(larger, PAD);
      return socket.sendSlice(larger, PAD, data.length, peer);
    }
    if (peer !== undefined && this.#packetInfo && this.#dice.once(2)) {
      return socket.send(data, peer, LOOPBACK);
    }
    return peer === undefined ? socket.send(data) : socket.send(data, peer);
  }

  sendSegments(data: Buffer, size: number, peer?: Peer): boolean {
    return this.#socket.sendSegments(data, size, peer);
  }

  port(): number {
    return this.#socket.address().port;
  }

  finish(): void {
    this.#socket.finish();
  }

  close(): void {
    this.#socket.close();
  }
}

export class PolluxDatagramKit implements DatagramKit {
  readonly kind = 'pollux';
  readonly #reactor: Reactor;

  constructor(reactor: Reactor) {
    this.#reactor = reactor;
  }

  open({ remote, dice, ...options }: DatagramOptions): DatagramActor {
    const reactor = this.#reactor;
    const chosen = { ...options, gso: dice.once(2), gro: dice.once(2), packetInfo: dice.once(2) };
    const socket =
      remote === undefined
        ? UdpSocket.bind(reactor, { address: LOOPBACK, ...chosen })
        : UdpSocket.connect(reactor, { ...remote, ...chosen });
    return new PolluxDatagrams(socket, dice, chosen.packetInfo);
  }
}

/** Ports of ours that send everything back from where it lies: by the same socket, or by way of others. */
export class Echoes {
  readonly ports: readonly number[];
  readonly #sockets: UdpSocket[] = [];

  constructor(reactor: Reactor, failed: (error: unknown) => void) {
    const options = { address: LOOPBACK, receiveBufferSize: 4 << 20 };
    const open = () => {
      const socket = UdpSocket.bind(reactor, options);
      socket.on('error', failed);
      this.#sockets.push(socket);
      return socket;
    };
    const straight = open();
    straight.receive((buffer, offset, length, peer) =>
      straight.sendSlice(buffer, offset, length, peer),
    );
    // From the first to the second, which asks the third, which sends it back to the second.
    const [first, second, third] = [open(), open(), open()];
    const place = third.address();
    const owners: Endpoint[] = [];
    first.receive((buffer, offset, length, peer) => {
      if (second.sendSlice(buffer, offset, length, place)) owners.push(peer);
    });
    third.receive((buffer, offset, length, peer) => third.sendSlice(buffer, offset, length, peer));
    second.receive((buffer, offset, length) => {
      const owner = owners.shift();
      assert.ok(owner !== undefined, 'an echo of nothing');
      first.sendSlice(buffer, offset, length, owner);
    });
    this.ports = [straight, first].map((socket) => socket.address().port);
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}
