// A ZeroMQ socket on a reactor, by libzmq.
//
//   node examples/dist/adapters/zeromq.js reply tcp://127.0.0.1:5555
//   node examples/dist/adapters/zeromq.js request tcp://127.0.0.1:5555 hello
//
// The trap: ZMQ_FD is not readable while there are messages. It says, once, that something has
// changed inside libzmq since ZMQ_EVENTS was last read; every send and receive may take such a
// change in silently. So after anything done to the socket ZMQ_EVENTS is read again, until it says
// that there is nothing left to do, and only then it is the descriptor's turn.
import { constants } from 'node:os';
import { Interest, Reactor, type Watcher } from '@pollux/core';
import koffi, { type LibraryHandle } from 'koffi';
import { isProgram } from './libc.js';

type Pointer = bigint | null;
const zmq: LibraryHandle = koffi.load('libzmq.so.5');
const zmq_ctx_new: () => Pointer = zmq.func('void *zmq_ctx_new()');
const zmq_ctx_term: (context: Pointer) => number = zmq.func('int zmq_ctx_term(void *context)');
const zmq_socket: (context: Pointer, type: number) => Pointer = zmq.func(
  'void *zmq_socket(void *context, int type)',
);
const zmq_close: (socket: Pointer) => number = zmq.func('int zmq_close(void *socket)');
const zmq_bind: (socket: Pointer, address: string) => number = zmq.func(
  'int zmq_bind(void *socket, const char *address)',
);
const zmq_connect: (socket: Pointer, address: string) => number = zmq.func(
  'int zmq_connect(void *socket, const char *address)',
);
const zmq_getsockopt: (socket: Pointer, option: number, value: Buffer, size: number[]) => number =
  zmq.func('int zmq_getsockopt(void *socket, int option, void *value, _Inout_ size_t *size)');
const zmq_setsockopt: (socket: Pointer, option: number, value: Buffer, size: number) => number =
  zmq.func('int zmq_setsockopt(void *socket, int option, const void *value, size_t size)');
const zmq_send: (socket: Pointer, data: Buffer, size: number, flags: number) => number = zmq.func(
  'int zmq_send(void *socket, const void *data, size_t size, int flags)',
);
const zmq_msg_init: (message: Buffer) => number = zmq.func('int zmq_msg_init(void *message)');
const zmq_msg_recv: (message: Buffer, socket: Pointer, flags: number) => number = zmq.func(
  'int zmq_msg_recv(void *message, void *socket, int flags)',
);
const zmq_msg_data: (message: Buffer) => Pointer = zmq.func('void *zmq_msg_data(void *message)');
const zmq_msg_more: (message: Buffer) => number = zmq.func('int zmq_msg_more(void *message)');
const zmq_msg_close: (message: Buffer) => number = zmq.func('int zmq_msg_close(void *message)');
const zmq_errno: () => number = zmq.func('int zmq_errno()');
const zmq_strerror: (errno: number) => string = zmq.func('const char *zmq_strerror(int errno)');

const TYPES = {
  pair: 0,
  pub: 1,
  sub: 2,
  req: 3,
  rep: 4,
  dealer: 5,
  router: 6,
  pull: 7,
  push: 8,
};
const ZMQ_SUBSCRIBE = 6;
const ZMQ_FD = 14;
const ZMQ_EVENTS = 15;
const ZMQ_LINGER = 17;
const ZMQ_LAST_ENDPOINT = 32;
const ZMQ_POLLIN = 1;
const ZMQ_POLLOUT = 2;
const ZMQ_DONTWAIT = 1;
const ZMQ_SNDMORE = 2;

/** So many messages in one go; then others have their turn. */
const BATCH = 256;

export class ZmqContext {
  #context: Pointer = zmq_ctx_new();
  readonly #sockets = new Set<ZmqSocket>();

  /** What comes is given to the callback: a message is one or more parts. */
  socket(
    reactor: Reactor,
    type: keyof typeof TYPES,
    onMessage: (parts: Buffer[], socket: ZmqSocket) => void = () => {},
  ): ZmqSocket {
    const handle = zmq_socket(this.#context, TYPES[type]);
    if (handle === null) throw zmqError('zmq_socket');
    const forget = (): boolean => this.#sockets.delete(socket);
    const socket = new ZmqSocket(reactor, handle, onMessage, forget);
    this.#sockets.add(socket);
    return socket;
  }

  /** With all its sockets, or this would block; libzmq's threads and descriptors are gone then. */
  close(): void {
    if (this.#context === null) return;
    for (const socket of this.#sockets) socket.close();
    check(zmq_ctx_term(this.#context), 'zmq_ctx_term');
    this.#context = null;
  }
}

export class ZmqSocket {
  readonly #reactor: Reactor;
  readonly #handle: Pointer;
  readonly #onMessage: (parts: Buffer[], socket: ZmqSocket) => void;
  readonly #onClose: () => void;
  readonly #watcher: Watcher;
  readonly #unsent: Buffer[][] = [];
  #due = false;
  #closed = false;

  constructor(
    reactor: Reactor,
    handle: Pointer,
    onMessage: (parts: Buffer[], socket: ZmqSocket) => void,
    onClose: () => void,
  ) {
    this.#reactor = reactor;
    this.#handle = handle;
    this.#onMessage = onMessage;
    this.#onClose = onClose;
    this.#set(ZMQ_LINGER, toInt(0)); // close() drops what has not been sent
    // The descriptor is libzmq's: to be watched, and neither read nor closed.
    const fd: number = koffi.decode(this.#get(ZMQ_FD, 4), 'int');
    this.#watcher = reactor.watch(fd, Interest.readable, () => this.#process());
  }

  bind(address: string): void {
    check(zmq_bind(this.#handle, address), `zmq_bind ${address}`);
    this.#processSoon();
  }

  connect(address: string): void {
    check(zmq_connect(this.#handle, address), `zmq_connect ${address}`);
    this.#processSoon();
  }

  /** The last address bound or connected to, with what stood for '*' in it. */
  get endpoint(): string {
    return this.#get(ZMQ_LAST_ENDPOINT, 256).toString().replace(/\0+$/, '');
  }

  /** For a sub socket: what begins so is wanted. */
  subscribe(prefix = ''): void {
    this.#set(ZMQ_SUBSCRIBE, Buffer.from(prefix));
    this.#processSoon();
  }

  /** Sends one message, now or as soon as the socket can. */
  send(...parts: (string | Uint8Array)[]): void {
    this.#unsent.push(parts.map((part) => Buffer.from(part as string)));
    this.#processSoon();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true; // the watcher may be closed already: the reactor was
    this.#watcher.close();
    check(zmq_close(this.#handle), 'zmq_close');
    this.#onClose();
  }

  #processSoon(): void {
    if (this.#due || this.#closed) return;
    this.#due = true;
    this.#reactor.defer(() => {
      this.#due = false;
      this.#process();
    });
  }

  /** Receives and sends until ZMQ_EVENTS says that there is nothing left. */
  #process(): void {
    let idle = this.#closed;
    try {
      for (let i = 0; i < BATCH && !idle; i++) idle = !this.#step();
    } finally {
      // The batch is full, or onMessage threw. The descriptor need not be readable again.
      if (!idle) this.#processSoon();
    }
  }

  /**
   * False when there is nothing to do until the descriptor is readable. That is said of the last look
   * at ZMQ_EVENTS: one more, for the sake of a single bit, would take in the news of the others.
   */
  #step(): boolean {
    let events = this.#events();
    const canReceive = (events & ZMQ_POLLIN) !== 0;
    if (canReceive) {
      this.#onMessage(this.#receive(), this);
      if (this.#closed) return false;
      events = this.#events();
    }
    const canSend = (events & ZMQ_POLLOUT) !== 0 && this.#unsent.length > 0;
    if (canSend) this.#sendFirst();
    return canReceive || canSend;
  }

  #events(): number {
    return koffi.decode(this.#get(ZMQ_EVENTS, 4), 'int');
  }

  #receive(): Buffer[] {
    const parts: Buffer[] = [];
    const message = Buffer.alloc(64); // a zmq_msg_t
    for (let more = true; more; ) {
      zmq_msg_init(message);
      const size = check(zmq_msg_recv(message, this.#handle, ZMQ_DONTWAIT), 'zmq_msg_recv');
      parts.push(Buffer.from(koffi.decode(zmq_msg_data(message), 'uint8_t', size)));
      more = zmq_msg_more(message) === 1;
      zmq_msg_close(message);
    }
    return parts;
  }

  #sendFirst(): void {
    const parts = this.#unsent[0] ?? [];
    for (const [i, part] of parts.entries()) {
      const flags = ZMQ_DONTWAIT | (i < parts.length - 1 ? ZMQ_SNDMORE : 0);
      const result = zmq_send(this.#handle, part, part.length, flags);
      // Not now after all. The parts of a message are taken all or none, so this is the first.
      if (result === -1 && zmq_errno() === constants.errno.EAGAIN) return;
      check(result, 'zmq_send');
    }
    this.#unsent.shift();
  }

  #get(option: number, room: number): Buffer {
    const value = Buffer.alloc(room);
    const size = [room];
    check(zmq_getsockopt(this.#handle, option, value, size), 'zmq_getsockopt');
    return value.subarray(0, size[0]);
  }

  #set(option: number, value: Buffer): void {
    check(zmq_setsockopt(this.#handle, option, value, value.length), 'zmq_setsockopt');
  }
}

function toInt(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  koffi.encode(bytes, 'int', value);
  return bytes;
}

function zmqError(call: string): Error {
  return new Error(`${zmq_strerror(zmq_errno())}: ${call}`);
}

function check(result: number, call: string): number {
  if (result === -1) throw zmqError(call);
  return result;
}

if (isProgram(import.meta.url)) {
  const [role = 'reply', address = 'tcp://127.0.0.1:5555', text = 'hello'] = process.argv.slice(2);
  const context = new ZmqContext();
  if (role === 'request') {
    const request = context.socket(new Reactor(), 'req', ([reply]) => {
      console.log(`${reply}`);
      context.close();
    });
    request.connect(address);
    request.send(text);
  } else {
    const reply = context.socket(new Reactor(), 'rep', (parts, socket) => socket.send(...parts));
    reply.bind(address);
    process.once('SIGINT', () => context.close());
    console.log(`replying on ${reply.endpoint}; Ctrl-C stops`);
  }
}
