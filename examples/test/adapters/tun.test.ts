// A tun device: packets that the kernel routes to it reach the program, and its answers the sender.
// All of it happens in a network namespace that goes with the processes in it.
import { describe, expect, test } from 'vitest';
import { turnAround } from '../../dist/adapters/tun.js';
import { commandFor, installed, shell, start } from '../support.js';
import { backends, ownNetwork } from './support.js';

const network = ownNetwork('ip', 'tuntap', 'add', 'dev', 'pollux0', 'mode', 'tun');

/** Sends datagrams of these sizes one after another, each until it is answered by itself. */
const client = (sizes: number[]) => `
  const socket = require("node:dgram").createSocket("udp4");
  const texts = ${JSON.stringify(sizes)}.map((size, i) => String(i).repeat(size));
  const send = () => socket.send(texts[0], 7, "10.213.7.2");
  const again = setInterval(send, 200);
  socket.on("message", (data, { address, port }) => {
    if (String(data) !== texts[0]) return; // an answer to one sent twice
    console.log(address, port, texts.shift().length);
    if (texts.length > 0) return send();
    clearInterval(again);
    socket.close();
  });
  send();
`;

describe.each(backends)('%s', (backend) => {
  test('UDP that is sent into it comes back', async (context) => {
    if (typeof network === 'string') return context.skip(network);
    context.skip(!installed('nsenter'), 'nsenter (util-linux) is not installed');
    const program = start([...network.start, ...commandFor('adapters/tun', 'pollux0')], {
      env: { POLLUX_BACKEND: backend },
    });
    const inside = (command: string) =>
      shell(`${network.join(program.child.pid).join(' ')} ${command} 2>&1`);
    await program.until(/^pollux0 is there; Ctrl-C removes it\n/);
    expect(await inside('ip addr add 10.213.7.1/30 dev pollux0')).toBe('');
    expect(await inside('ip link set pollux0 up')).toBe('');
    expect(await inside(`${process.execPath} -e '${client([5, 1, 1400, 0])}'`)).toBe(
      '10.213.7.2 7 5\n10.213.7.2 7 1\n10.213.7.2 7 1400\n10.213.7.2 7 0\n',
    );
    expect(await inside('ip -o link show pollux0')).toContain('pollux0');
    program.child.kill('SIGINT');
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.output.stderr).toBe('');
  });

  test('a name that cannot be', async (context) => {
    if (typeof network === 'string') return context.skip(network);
    const program = start([...network.start, ...commandFor('adapters/tun', 'a/b')], {
      env: { POLLUX_BACKEND: backend },
    });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.output.stderr).toContain("EINVAL: ioctl TUNSETIFF 'a/b'");
  });
});

test('only whole UDP packets of IPv4 are turned around', () => {
  const packet = Buffer.from(
    '4500001f000040004011000a0ad507010ad50702c00000070003abcd616263',
    'hex',
  );
  expect(turnAround(packet)).toBe(true);
  expect(packet.toString('hex')).toBe(
    '4500001f000040004011000a0ad507020ad507010007c0000003abcd616263',
  );
  const others = [
    Buffer.alloc(0),
    Buffer.from([0x60]),
    packet.subarray(0, 27),
    Buffer.from(packet),
  ];
  others.at(-1)?.writeUInt8(6, 9); // TCP
  for (const other of others) {
    const before = Buffer.from(other);
    expect(turnAround(other)).toBe(false);
    expect(other).toEqual(before);
  }
});
