// A tun device on a reactor: a network interface whose other side is this program.
//
//   unshare -rn sh                     a network of its own, to play in; or be root
//   node examples/dist/adapters/tun.js pollux0 &
//   ip addr add 10.213.7.1/30 dev pollux0; ip link set pollux0 up
//   echo hi | nc -u -w1 10.213.7.2 7   hi
//
// Every packet that is routed to the interface is one read, and every write is a packet that comes
// out of it. This program answers UDP, whatever the address: it sends each packet back to where it
// came from. Making the interface needs CAP_NET_ADMIN; it is gone when the descriptor is closed.
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { Reactor } from '@pollux/core';
import koffi from 'koffi';
import { Descriptor } from './descriptor.js';
import { isProgram, libc, systemError } from './libc.js';

// struct ifreq: the name, and a union of which TUNSETIFF uses the flags.
const ifreq = koffi.struct({ name: koffi.array('char', 16), flags: 'short' });
const IFREQ_SIZE = 40;
const TUNSETIFF = 0x400454ca; // on x86, arm and riscv
const IFF_TUN = 0x1; // IP packets, not Ethernet frames
const IFF_NO_PI = 0x1000; // and nothing before them
const ioctl: (fd: number, request: number, type: string, argument: Buffer) => number = libc.func(
  'int ioctl(int fd, unsigned long request, ...)',
);

export class Tun {
  /** The interface's name. */
  readonly name: string;
  readonly #source: Descriptor;
  readonly #packet = Buffer.alloc(65_536);

  /** The packet is valid during the callback only. */
  constructor(reactor: Reactor, name: string, onPacket: (packet: Buffer, tun: Tun) => void) {
    this.name = name;
    // Before it is watched: without an interface the descriptor is nothing but an error.
    this.#source = new Descriptor(reactor, openInterface(name), () => {
      const length = this.#source.read(this.#packet);
      if (length !== undefined) onPacket(this.#packet.subarray(0, length), this);
    });
  }

  /** Sends one IP packet. False if it was dropped, as packets are when there is no room for them. */
  send(packet: Uint8Array): boolean {
    try {
      writeSync(this.#source.fd, packet);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN' || code === 'ENOBUFS') return false;
      throw error; // EIO: the interface is down
    }
  }

  close(): void {
    this.#source.close();
  }
}

function openInterface(name: string): number {
  const request = Buffer.alloc(IFREQ_SIZE);
  koffi.encode(request, ifreq, { name, flags: IFF_TUN | IFF_NO_PI });
  const fd = openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK); // and O_CLOEXEC
  if (ioctl(fd, TUNSETIFF, 'void *', request) !== -1) return fd;
  const error = systemError(koffi.errno(), `ioctl TUNSETIFF '${name}'`);
  closeSync(fd);
  throw error;
}

/** Sends an IPv4 UDP packet back to where it came from. False if it is none. */
export function turnAround(packet: Buffer): boolean {
  const isIPv4 = (packet[0] ?? 0) >> 4 === 4;
  const header = ((packet[0] ?? 0) & 0xf) * 4;
  if (!isIPv4 || packet[9] !== 17 || packet.length < header + 8) return false;
  swap(packet, 12, 4); // the addresses
  swap(packet, header, 2); // the ports
  return true; // both checksums are sums, and a sum does not depend on the order
}

function swap(bytes: Buffer, at: number, length: number): void {
  const first = Buffer.from(bytes.subarray(at, at + length));
  bytes.copy(bytes, at, at + length, at + 2 * length);
  first.copy(bytes, at + length);
}

if (isProgram(import.meta.url)) {
  const tun = new Tun(new Reactor(), process.argv[2] ?? 'pollux0', (packet) => {
    if (turnAround(packet)) tun.send(packet);
  });
  process.once('SIGINT', () => tun.close());
  console.log(`${tun.name} is there; Ctrl-C removes it`);
}
