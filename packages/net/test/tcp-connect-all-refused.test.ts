// Many addresses, each refused by the system at once: an error of them all, however many they are.
import { TcpStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor, record } from './support.js';

/** On Windows each asks for a base handle and a driver besides; under Wine that takes milliseconds. */
const COUNT = process.platform === 'win32' ? 2_000 : 20_000;

onEveryReactor((bench) => {
  test(`${COUNT} of them`, async () => {
    // A broadcast address: connect(2) refuses it.
    const addresses = Array<string>(COUNT).fill('255.255.255.255');
    const stream = TcpStream.connect(bench().reactor, { addresses, port: 9 });
    const events = record(stream, 'error', 'close');
    await bench().until(() => events.length === 2, 'the end');
    const [, error] = events[0] as [string, AggregateError];
    expect(error.errors.length).toBe(COUNT);
  });
});
