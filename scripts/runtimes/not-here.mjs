// What is not run on a runtime though it is on Node 20, each with the reason it is left out for: which
// runtimes, the test's file, its name, why. docs/platforms.md has the same for readers.

const ANY = /^/;
const EVERYWHERE = /^/;
const BUN = /^bun$/;
const DENO = /^deno$/;
const BOTH = /^(bun|deno)$/;
const ARM = /^arm64$/;

const REPOSITORY = 'it tests a script of the repository, which is not here';
const ONCE =
  'Bun and Deno give no way to run nextTicks and promises between two callbacks: they run once per batch';
const HOOKS = 'Bun and Deno call no hooks of async_hooks';
const DEBUG = 'Bun and Deno read no NODE_DEBUG';
const HEAP = 'it collects garbage by a flag of V8, or measures the heap of Node';
const PRINTS = 'Bun prints an error that nobody caught in a form of its own';
const CHILDREN = 'Bun and Deno reap a child themselves, and keep a pidfd of it for a while';
const THREADS = 'Bun begins and ends threads of its own meanwhile, which are counted';
const WORKERS =
  'Deno cannot end a worker that blocks, and its workers open descriptors of their own and leave them';
const SIGNALS = 'Deno takes signals that cannot be caught for granted';
const NET = 'Bun: two descriptors are left after its own node:net was at the other end';
const DGRAM = 'Deno: its node:dgram sends what was queued at once in the opposite order';
const EVAL = 'Deno evaluates a text as a script, where this wants a module';
const NULL = 'Deno ends with "Uncaught null" when a native callback has let an exception out';
const STALE =
  'Deno: an event that comes after its watcher is closed is counted; not looked into yet';
const FD_SET = 'qemu 7.2 aborts at a select of more than 1,024 descriptors';
const SECCOMP = 'qemu has no seccomp filters for its guest';

const notHere = [
  [EVERYWHERE, 'poller-portability', ANY, REPOSITORY],
  [EVERYWHERE, 'fuzz-short', ANY, REPOSITORY],
  [EVERYWHERE, 'bundle', ANY, 'it wants a bundler, which is not installed here'],

  [BOTH, 'reactor-change-between', /\bin (a )?(nextTick|promise|microtask)|async function/, ONCE],
  [
    BOTH,
    'reactor-draining',
    /^(a|an) (nextTick|promise|await) may|for ever is|async callback goes on|^two |inside a promise/,
    ONCE,
  ],
  [BOTH, 'reactor-abort', /an abort in a (nextTick|promise) between/, ONCE],
  [BOTH, 'reactor-batch', /^drive: what/, ONCE],
  [BOTH, 'reactor-close', /in what runs between two callbacks/, ONCE],
  [BOTH, 'reactor-nested', /in a callback of any kind/, ONCE],
  [BOTH, 'reactor-turn', /or what runs between two|what the last callback queued/, ONCE],
  [BOTH, 'reactor-run', /^a stream is waited for|stop in a nextTick/, ONCE],
  [BOTH, 'reactor-timers', /closed from callbacks of every kind/, ONCE],
  [BOTH, 'reactor-slow-callback', /whose nextTick is slow|both together/, ONCE],
  [BOTH, 'reactor-prepare', ANY, ONCE],
  [BOTH, 'reactor-hooks', ANY, ONCE],
  [BOTH, 'reactor-model', ANY, `its model of a turn has what runs between callbacks: ${ONCE}`],
  [
    BOTH,
    'reactor-exceptions',
    /^a nextTick throws|^somebody listens.*: (nextTick|promise|stream|microtask)/,
    ONCE,
  ],

  [BOTH, 'reactor-async-context', /^hooks see/, HOOKS],
  [BOTH, 'reactor-diagnostics', /^NODE_DEBUG/, DEBUG],
  [BOTH, 'poller-descriptors', /when it is collected/, HEAP],
  [BOTH, 'reactor-growth', ANY, HEAP],
  [BOTH, 'poller-kinds', /pidfd/, CHILDREN],

  [BUN, 'reactor-exceptions', /^nobody listens/, PRINTS],
  [BUN, 'reactor-signals', /ends the process if nobody listens/, PRINTS],
  [
    BUN,
    'reactor-children',
    /^a child of node|zombie|^not a child|^one that Node has|^many at once|^several watchers/,
    CHILDREN,
  ],
  [BUN, 'poller-workers', /^terminated/, THREADS],
  [BUN, 'poller-descriptors', /^close gives everything back/, THREADS],
  [BUN, 'reactor-slow-callback', /^a slow callback/, ONCE],

  [BUN, 'tcp-echo', /^with Node's own sockets/, NET],
  [BUN, 'unix-echo', /^node:net at the other end/, NET],

  [DENO, 'poller-workers', ANY, WORKERS],
  [DENO, 'reactor-workers', ANY, WORKERS],
  [DENO, 'reactor-run-sync-worker', ANY, WORKERS],
  [DENO, 'poller-interrupted', /^events and notifies/, WORKERS],
  [DENO, 'poller-notify', /from another worker|neither events nor notifies/, WORKERS],
  [DENO, 'poller-timeouts', /are not cut short/, WORKERS],
  [DENO, 'reactor-children', /in workers/, WORKERS],
  [DENO, 'reactor-exceptions', /in a worker/, WORKERS],
  [DENO, 'reactor-exceptions', /^nobody listens/, NULL],
  [DENO, 'reactor-signals', /ends the process if nobody listens/, NULL],
  [DENO, 'installation', ANY, EVAL],
  [DENO, 'udp-echo', /with Node's own socket/, DGRAM],
  [DENO, 'reactor-signals', /refused: what is no signal/, SIGNALS],
  [DENO, 'reactor-bad-input-handles', /^signal/, SIGNALS],

  [DENO, 'reactor-diagnostics', /^stats count/, STALE],

  [ARM, 'poller-timeout-fallback', ANY, SECCOMP],
  [ARM, 'poller-closed', ANY, FD_SET],
  [ARM, 'poller-many', ANY, FD_SET],
];

/** Why a test is not run on a runtime, if it is not. */
export function reasonAgainst(runtime, file, name) {
  return notHere.find(
    ([on, of, names]) => on.test(runtime) && file.endsWith(`/${of}.test.js`) && names.test(name),
  )?.[3];
}
