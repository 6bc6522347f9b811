// Trains (UDP_SEGMENT) of which the system takes not all: 64 datagrams at once before Linux 6.9, none
// for a device that cannot, and some other error of one datagram in the middle of a run. The sockets
// are real; the refusals are put into the addon's mouth.
import { constants } from 'node:os';
import { UdpSocket } from '@pollux/net';
import { afterEach, expect, test, vi } from 'vitest';
import { native } from '../dist/native.js';
import { onEveryReactor, pattern } from './support.js';

const { EAGAIN, EINVAL, EIO, EMSGSIZE, EPERM } = constants.errno;
const JOB_WORDS = 6;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Has the addon refuse the trains that `refusal` has an errno for; tells how long each was. */
function refuse(refusal: (datagrams: number, train: number) => number): number[] {
  const trains: number[] = [];
  const send = native.send.bind(native);
  vi.spyOn(native, 'send').mockImplementation((jobs, first, end, slab, peers, results) => {
    for (let i = first; i < end; i++) {
      const segment = jobs[i * JOB_WORDS + 4] as number;
      if (segment === 0) continue;
      const datagrams = Math.ceil((jobs[i * JOB_WORDS + 2] as number) / segment);
      const errno = refusal(datagrams, trains.length);
      trains.push(datagrams);
      if (errno === 0) continue;
      const done = send(jobs, first, i, slab, peers, results);
      if (done < i) return done;
      results[i] = -errno;
      return i + 1;
    }
    return send(jobs, first, end, slab, peers, results);
  });
  return trains;
}

onEveryReactor((bench) => {
  const pair = () => {
    const options = { address: '127.0.0.1', receiveBufferSize: 4 << 20, gso: true };
    const server = bench().track(UdpSocket.bind(bench().reactor, options));
    const client = bench().track(UdpSocket.bind(bench().reactor, options));
    const got: Buffer[] = [];
    const errors: unknown[] = [];
    server.on('message', (data) => got.push(data));
    client.on('error', (error) => errors.push(error));
    return { peer: server.address(), client, got, errors };
  };

  test('more than 64 at once: 64 from then on', async () => {
    const trains = refuse((datagrams) => (datagrams > 64 ? EINVAL : 0));
    const { peer, client, got, errors } = pair();
    const data = pattern(300 * 100);
    client.sendSegments(data, 100, peer);
    await bench().until(() => got.length === 300, 'all');
    expect(Buffer.concat(got).equals(data)).toBe(true);
    // Asked once; both halves go; the next trains, queued before, are cut as well.
    expect(trains.slice(0, 3)).toEqual([128, 64, 64]);
    trains.length = 0;
    for (let i = 0; i < 130; i++) client.send(data.subarray(100 * i, 100 * i + 100), peer);
    await bench().until(() => got.length === 430, 'all of the second');
    expect(trains).toEqual([64, 64, 2]);
    expect([errors, client.gso]).toEqual([[], true]);
  });

  test.each([
    ['EIO', EIO, false],
    ['EMSGSIZE', EMSGSIZE, true],
  ])('%s: one by one, and not asked again', async (_name, errno, gso) => {
    const trains = refuse(() => errno);
    const { peer, client, got, errors } = pair();
    const data = pattern(200 * 50 - 7);
    client.sendSegments(data, 50, peer);
    client.sendSegments(data, 50, peer);
    await bench().until(() => got.length === 400, 'all');
    expect(Buffer.concat(got).equals(Buffer.concat([data, data]))).toBe(true);
    const asked = trains.length;
    client.sendSegments(data, 50, peer);
    await bench().until(() => got.length === 600, 'all of the third');
    expect([trains.length, errors, client.gso]).toEqual([asked, [], gso]);
  });

  test('another error costs one datagram', async () => {
    refuse((_datagrams, train) => (train === 0 ? EPERM : 0));
    const { peer, client, got, errors } = pair();
    client.sendSegments(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]), 1, peer);
    client.send('end', peer);
    await bench().until(() => got.length === 8, 'the others');
    expect(Buffer.concat(got)).toEqual(Buffer.from('\x01\x02\x03\x04\x05\x06\x07end'));
    expect(errors).toMatchObject([{ code: 'EPERM', syscall: 'sendmmsg' }]);
  });

  test('a socket that is full in the middle: the rest waits, in order', async () => {
    refuse((_datagrams, train) => (train === 0 ? EPERM : train === 1 ? EAGAIN : 0));
    const { peer, client, got, errors } = pair();
    client.sendSegments(Buffer.from([0, 1, 2, 3]), 1, peer);
    client.send('end', peer);
    await bench().until(() => got.length === 4, 'the others');
    expect(Buffer.concat(got)).toEqual(Buffer.from('\x01\x02\x03end'));
    expect(errors).toHaveLength(1);
  });
});
