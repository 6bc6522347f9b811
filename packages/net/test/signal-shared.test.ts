// One AbortSignal for handles of the reactor and sockets of every kind: one listener for all of them,
// which goes with the last.
import { getEventListeners } from 'node:events';
import { TcpListener, TcpStream, UdpSocket, UnixDatagramSocket } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor } from './support.js';

onEveryReactor((bench) => {
  function make(signal: AbortSignal) {
    const { reactor } = bench();
    const listener = TcpListener.listen(reactor, { address: '127.0.0.1', signal });
    const { port } = listener.address();
    return [
      listener,
      TcpStream.connect(reactor, { address: '127.0.0.1', port, signal }),
      UdpSocket.bind(reactor, { address: '127.0.0.1', signal }),
      UnixDatagramSocket.open(reactor, { signal }),
      reactor.timer(60_000, () => {}, { signal }),
    ].map((each) => bench().track(each));
  }
  const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

  test('aborted: closes them all', () => {
    const controller = new AbortController();
    const all = make(controller.signal);
    expect(listeners(controller.signal)).toBe(1);
    controller.abort();
    expect(all.map(({ closed }) => closed)).toEqual(all.map(() => true));
    expect(listeners(controller.signal)).toBe(0);
  });

  test('all closed by hand: leaves nothing at the signal', () => {
    const controller = new AbortController();
    const all = make(controller.signal);
    for (const each of all) {
      expect(listeners(controller.signal)).toBe(1);
      each[Symbol.dispose]();
    }
    expect(listeners(controller.signal)).toBe(0);
  });
});
