// rtnetlink: the interfaces and addresses that there are, and then what changes, as it is told.
import { networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import { type NetworkChange, NetworkWatch } from '../../dist/adapters/netlink.js';
import { commandFor, installed, shell, start } from '../support.js';
import { backends, closing, descriptors, Inbox, newReactor, ownNetwork } from './support.js';

const network = ownNetwork('ip', 'link', 'set', 'lo', 'up');

describe.each(backends)('%s', (backend) => {
  test('what is there, and the descriptor goes with it', async () => {
    const before = descriptors(/socket/).length;
    const inbox = new Inbox<NetworkChange | 'listed'>();
    const listed = (): void => inbox.add('listed');
    const watch = closing(new NetworkWatch(newReactor(backend), inbox.add, listed));
    expect(descriptors(/socket/)).toHaveLength(before + 1);
    const changes = await inbox.until((items) => items.includes('listed'));

    const addresses = new Map<string, string[]>();
    for (const change of changes) {
      if (change === 'listed') break;
      expect(change.removed).toBe(false);
      if (change.kind === 'link') addresses.set(change.name, []);
      else {
        const { index } = change;
        const link = changes.find(
          (other) => other !== 'listed' && other.kind === 'link' && other.index === index,
        );
        const { name } = link as { name: string };
        addresses.get(name)?.push(`${change.address}/${change.prefixLength}`);
      }
    }
    expect(addresses.has('lo')).toBe(true);
    // Node's list has no interfaces without addresses, and none that are down.
    for (const [name, infos = []] of Object.entries(networkInterfaces())) {
      for (const { cidr } of infos) expect(addresses.get(name)).toContain(cidr);
    }
    watch.close();
    expect(descriptors(/socket/)).toHaveLength(before);
  });

  test('what changes: an interface up, with addresses, without one, and down', async (context) => {
    if (typeof network === 'string') return context.skip(network);
    context.skip(!installed('nsenter'), 'nsenter (util-linux) is not installed');
    const [command = '', ...args] = [...network.start, ...commandFor('adapters/netlink')];
    const program = start([command, ...args], { env: { POLLUX_BACKEND: backend } });
    const ip = (text: string) =>
      shell(`${network.join(program.child.pid).join(' ')} ip ${text} 2>&1`);
    await program.until(/link 1: lo down\nand from here on changes\n/);
    expect(await ip('link set lo up')).toBe('');
    await program.until(/link 1: lo up\n/);
    await program.until(/address 1: 127\.0\.0\.1\/8\n/);
    expect(await ip('addr add 10.213.7.1/30 dev lo')).toBe('');
    expect(await ip('addr add fd00:213::7/64 dev lo')).toBe('');
    await program.until(/address 1: 10\.213\.7\.1\/30\naddress 1: fd00:213::7\/64\n/);
    expect(await ip('addr del 10.213.7.1/30 dev lo')).toBe('');
    await program.until(/address 1: 10\.213\.7\.1\/30 removed\n/);
    expect(await ip('link set lo down')).toBe('');
    await program.until(/link 1: lo down\n(?!and)/);
    program.child.kill('SIGINT');
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.output.stderr).toBe('');
  });
});
