// rtnetlink on a reactor: the network interfaces of this machine and their addresses, and every
// change to them. networkInterfaces() of node:os has to be asked; this tells.
//
//   node examples/dist/adapters/netlink.js      then: ip link add dummy0 type dummy; Ctrl-C ends it
//
// A netlink socket carries datagrams between the kernel and a program. Each holds messages: a
// header, a fixed part for its kind, and attributes; see rtnetlink(7). Anybody may listen.
import { constants, writeSync } from 'node:fs';
import { SocketAddress } from 'node:net';
import { Reactor } from '@pollux/core';
import koffi from 'koffi';
import { Descriptor } from './descriptor.js';
import { check, isProgram, libc, O_CLOEXEC } from './libc.js';

interface SockaddrNl {
  nl_family: number;
  nl_pad: number;
  nl_pid: number;
  nl_groups: number;
}
koffi.struct('sockaddr_nl', {
  nl_family: 'uint16_t',
  nl_pad: 'uint16_t',
  nl_pid: 'uint32_t',
  nl_groups: 'uint32_t',
});
const nlmsghdr = koffi.struct({
  len: 'uint32_t',
  type: 'uint16_t',
  flags: 'uint16_t',
  seq: 'uint32_t',
  pid: 'uint32_t',
});
const ifinfomsg = koffi.struct({
  family: 'uint8_t',
  pad: 'uint8_t',
  type: 'uint16_t',
  index: 'int',
  flags: 'uint32_t',
  change: 'uint32_t',
});
const ifaddrmsg = koffi.struct({
  family: 'uint8_t',
  prefixLength: 'uint8_t',
  flags: 'uint8_t',
  scope: 'uint8_t',
  index: 'uint32_t',
});
const rtattr = koffi.struct({ len: 'uint16_t', type: 'uint16_t' });
const socket: (domain: number, type: number, protocol: number) => number = libc.func(
  'int socket(int domain, int type, int protocol)',
);
const bind: (fd: number, address: SockaddrNl, length: number) => number = libc.func(
  'int bind(int fd, const sockaddr_nl *address, uint32_t length)',
);

const AF_INET = 2;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;
const GROUPS = 0x1 | 0x10 | 0x100; // RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
const NLM_F_REQUEST_DUMP = 0x1 | 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const IFLA_IFNAME = 3;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFF_UP = 0x1;

export type NetworkChange =
  | { kind: 'link'; index: number; removed: boolean; name: string; up: boolean }
  | { kind: 'address'; index: number; removed: boolean; address: string; prefixLength: number };

export class NetworkWatch {
  readonly #source: Descriptor;
  readonly #buffer = Buffer.alloc(32_768); // no datagram of the kernel is longer
  readonly #onChange: (change: NetworkChange) => void;
  readonly #onListed: () => void;
  /** What is still to be asked for: the kernel gives one list at a time. */
  #questions: number[] = [];

  /** Tells what is there, then calls onListed, then tells what changes. */
  constructor(
    reactor: Reactor,
    onChange: (change: NetworkChange) => void,
    onListed: () => void = () => {},
  ) {
    this.#onChange = onChange;
    this.#onListed = onListed;
    const type = SOCK_RAW | constants.O_NONBLOCK | O_CLOEXEC;
    const fd = check(socket(AF_NETLINK, type, NETLINK_ROUTE), 'socket');
    this.#source = new Descriptor(reactor, fd, () => this.#read());
    const self = { nl_family: AF_NETLINK, nl_pad: 0, nl_pid: 0, nl_groups: GROUPS };
    check(bind(fd, self, koffi.sizeof('sockaddr_nl')), 'bind');
    this.#list();
  }

  close(): void {
    this.#source.close();
  }

  #list(): void {
    this.#questions = [RTM_GETLINK, RTM_GETADDR];
    this.#ask();
  }

  #ask(): void {
    const question = this.#questions.shift();
    if (question === undefined) {
      this.#onListed();
      return;
    }
    const head = koffi.sizeof(nlmsghdr);
    const message = Buffer.alloc(head + koffi.sizeof(ifinfomsg)); // of zeroes: every one there is
    const header = {
      len: message.length,
      type: question,
      flags: NLM_F_REQUEST_DUMP,
      seq: 0,
      pid: 0,
    };
    koffi.encode(message, nlmsghdr, header);
    writeSync(this.#source.fd, message);
  }

  // One datagram per report; another one is reported again.
  #read(): void {
    let end: number | undefined;
    try {
      end = this.#source.read(this.#buffer);
    } catch (error) {
      // More came than the socket could hold, and some is lost: ask for everything again.
      if ((error as NodeJS.ErrnoException).code !== 'ENOBUFS') throw error;
      this.#list();
    }
    const head = koffi.sizeof(nlmsghdr);
    for (let at = 0; end !== undefined && at < end && !this.#source.closed; ) {
      const { len, type } = koffi.decode(this.#buffer, at, nlmsghdr);
      this.#take(type, this.#buffer.subarray(at + head, at + len));
      at += align(len);
    }
  }

  #take(type: number, body: Buffer): void {
    if (type === NLMSG_DONE || type === NLMSG_ERROR) {
      this.#ask();
    } else if (type === RTM_NEWLINK || type === RTM_DELLINK) {
      const { index, flags } = koffi.decode(body, ifinfomsg);
      const attributes = readAttributes(body.subarray(koffi.sizeof(ifinfomsg)));
      const name = (attributes.get(IFLA_IFNAME)?.toString() ?? '').replace(/\0+$/, '');
      const up = (flags & IFF_UP) !== 0;
      this.#onChange({ kind: 'link', index, removed: type === RTM_DELLINK, name, up });
    } else if (type === RTM_NEWADDR || type === RTM_DELADDR) {
      const { family, prefixLength, index } = koffi.decode(body, ifaddrmsg);
      const attributes = readAttributes(body.subarray(koffi.sizeof(ifaddrmsg)));
      // On a point-to-point link IFA_ADDRESS is the other end's.
      const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
      if (bytes === undefined) return;
      const address = family === AF_INET ? bytes.join('.') : showIPv6(bytes);
      const removed = type === RTM_DELADDR;
      this.#onChange({ kind: 'address', index, removed, address, prefixLength });
    }
  }
}

function align(length: number): number {
  return (length + 3) & ~3;
}

function readAttributes(bytes: Buffer): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  const head = koffi.sizeof(rtattr);
  for (let at = 0; at + head <= bytes.length; ) {
    const { len, type } = koffi.decode(bytes, at, rtattr);
    attributes.set(type, bytes.subarray(at + head, at + len));
    at += align(len);
  }
  return attributes;
}

function showIPv6(bytes: Buffer): string {
  const groups = bytes.toString('hex').match(/.{4}/g) ?? [];
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address;
}

if (isProgram(import.meta.url)) {
  const show = (change: NetworkChange): void => {
    const { kind, index, removed } = change;
    const what =
      kind === 'link'
        ? `${change.name} ${change.up ? 'up' : 'down'}`
        : `${change.address}/${change.prefixLength}`;
    console.log(`${kind} ${index}: ${what}${removed ? ' removed' : ''}`);
  };
  const watch = new NetworkWatch(new Reactor(), show, () =>
    console.log('and from here on changes'),
  );
  process.once('SIGINT', () => watch.close());
}
