// diagnostics_channel channels, and NODE_DEBUG=pollux on top of them: the debug log is a subscriber
// like any other, so there is one mechanism. Without subscribers a message costs one comparison at
// its sender (`hasSubscribers`). Subscribers run synchronously; what one throws is reported by Node
// as uncaught in the next tick.
import { type Channel, channel, subscribe } from 'node:diagnostics_channel';
import { util } from './builtins.js';

/** The channels of this package. docs/api/diagnostics.md lists their messages. */
export const channels: Readonly<Record<ChannelKey, Channel>> = Object.freeze({
  /** `{ backend, candidates }`: a poller was opened. */
  pollerCreate: channel('pollux:poller:create'),
  /** `{ reactor }` */
  reactorCreate: channel('pollux:reactor:create'),
  /** `{ reactor }` */
  reactorClose: channel('pollux:reactor:close'),
  /** `{ reactor, watcher }` */
  watcherOpen: channel('pollux:watcher:open'),
  /** `{ reactor, watcher }` */
  watcherClose: channel('pollux:watcher:close'),
  /** `{ reactor, events, callbacks, busyMs }`: at the end of each turn. */
  turn: channel('pollux:turn'),
  /** `{ reactor, label, tookMs, origin }` */
  slowCallback: channel('pollux:callback:slow'),
});

type ChannelKey =
  | 'pollerCreate'
  | 'reactorCreate'
  | 'reactorClose'
  | 'watcherOpen'
  | 'watcherClose'
  | 'turn'
  | 'slowCallback';

if (process.env.NODE_DEBUG !== undefined) log();

function log(): void {
  const { debuglog, inspect } = util();
  const debug = debuglog('pollux');
  if (!debug.enabled) return;
  for (const { name } of Object.values(channels)) {
    subscribe(name, (message) => {
      const { reactor: _, ...rest } = message as Record<string, unknown>;
      debug('%s %s', String(name), inspect(rest, { depth: 1, breakLength: Infinity }));
    });
  }
}
