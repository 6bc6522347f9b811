// What must hold between the two ends of a connection once both are closed.
import { strict as assert } from 'node:assert';
import type { StreamPlan } from './stream-plan.js';
import type { StreamReport } from './stream-world.js';

/** What a stream may be told when its peer is gone. */
const GONE = ['ECONNRESET', 'EPIPE'];

/**
 * Throws what is wrong. `server` is left out if nobody ever heard of the connection; `shut`: its
 * listener was closed before it was handed out.
 */
export function judge(
  plan: StreamPlan,
  client: StreamReport,
  server: StreamReport | undefined,
  shut: boolean,
): void {
  const story = `${JSON.stringify(plan)}\n    ${JSON.stringify(client)}\n    ${JSON.stringify(server)}`;
  const say = (what: string) => `connection ${plan.id}: ${what}\n    ${story}`;
  if (server === undefined) {
    const codes = shut ? [...GONE, 'ECONNREFUSED', 'ENOENT'] : GONE;
    assert.ok(client.broken !== '' || shut, say('it was never accepted'));
    assert.equal(client.received, 0, say('bytes from nobody'));
    for (const code of client.errors) {
      assert.ok(shut && codes.includes(code), say(`an error from nobody: ${code}`));
    }
    return;
  }
  const pairs = [
    [client, server],
    [server, client],
  ] as const;
  for (const [one, other] of pairs) {
    assert.ok(one.received <= other.sent, say(`the ${one.side} received more than was sent`));
    const tooMany = say(`the ${one.side} received more descriptors than were sent`);
    assert.ok(one.parcelsReceived <= other.parcelsSent, tooMany);
    for (const code of one.errors) {
      assert.ok(GONE.includes(code), say(`the ${one.side} has an error of its own: ${code}`));
      assert.notEqual(other.broken, '', say(`the ${one.side} has an error: ${code}`));
    }
    if (client.broken !== '' || server.broken !== '') continue;
    assert.equal(one.received, other.sent, say(`the ${one.side} did not receive what was sent`));
    const lost = say(`the ${one.side} did not receive the descriptors that were sent`);
    assert.equal(one.parcelsReceived, other.parcelsSent, lost);
    assert.ok(one.sawEnd, say(`the ${one.side} was not told of the end`));
  }
}
