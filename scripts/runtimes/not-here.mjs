// What is not run on a runtime though it is on Node 20, each with the reason it is left out for: which
// runtimes, the test's file, its name, why. docs/platforms.md has the same for readers.

const ANY = /^/;
const EVERYWHERE = /^/;
const BUN = /^bun$/;
const DENO = /^deno$/;
const BOTH = /^(bun|deno)$/;
const ARM = /^arm64$/;

const REPOSITORY = 'it tests a script of the repository, which is not here';
const ORDER =
  'Bun runs promises before nextTicks between two callbacks (drainMicrotasks of bun:jsc)';
const REJECTIONS =
  'Bun tells no uncaughtException of a rejection, and unhandledRejection only when its loop goes round';
const UV = 'it wants the driver uv, which is on Node alone';
const PERMISSIONS = 'it is about permissions of Node and its flags';
const FORM = 'Bun and Deno print objects in forms of their own';
const STDERR = 'Bun duplicates its stderr at the first warning, and keeps that';
const DNS = "Bun's errors of dns are not those of libuv";
const HTTP =
  "Bun's own http and tls over a stream that is not its own: no trailers, no headersTimeout, no https, data and errors lost";
const RESET = "Deno's resetAndDestroy of a socket that is still connecting sends no reset";
const AGENT = "Deno's http.Agent keeps no connection that createConnection has made";
const HANDLE = "a socket of Deno's has no descriptor to be had";
const FULL = 'Deno panics where a process may open no more descriptors';
const STDIN = "Deno's closeSync leaves descriptor 0 open";
const FS = "Deno's node:fs reads no descriptor that it has not opened itself";
const AGAIN =
  'Deno closes a descriptor of its node:fs that others have closed once more, when its number is used again';
const NONBLOCKING = 'Deno leaves a descriptor as it is that it gives to a child';
const TLS = "Deno's node:tls has codes of its own, and does not always tell the end";
const REVOKED = 'Deno ends when a revoked proxy is thrown, which this does';
const OWN = 'Deno opens two sockets of its own half a second after its start';
const CODE = 'Deno prints an error that nobody caught without its code';
const WARNINGS = 'Deno does not read NODE_NO_WARNINGS';
const DAMAGED =
  'Bun and Deno tell a package without the file of its exports as one that is not there, or by the error of the system';
const HOOKS = 'Bun and Deno call no hooks of async_hooks';
const DEBUG = 'Bun and Deno read no NODE_DEBUG';
const HEAP = 'it collects garbage by a flag of V8, or measures the heap of Node';
const GC = 'Bun has no function gc by a flag that is set later';
const PRINTS = 'Bun prints an error that nobody caught in a form of its own';
const CHILDREN = 'Bun and Deno reap a child themselves, and keep a pidfd of it for a while';
const THREADS = 'Bun begins and ends threads of its own meanwhile, which are counted';
const WORKERS =
  'Deno cannot end a worker that blocks, and its workers open descriptors of their own and leave them';
const SIGNALS = 'Deno takes signals that cannot be caught for granted';
const NET = 'Bun: two descriptors are left after its own node:net was at the other end';
const DGRAM = 'Deno: its node:dgram sends what was queued at once in the opposite order';
const NULL =
  'Deno says no more than "Uncaught null" of what throws in a listener or what was queued, inside a native callback';
const FD_SET = 'qemu 7.2 aborts at a select of more than 1,024 descriptors';
const SECCOMP = 'qemu has no seccomp filters for its guest';

const notHere = [
  [EVERYWHERE, 'poller-portability', ANY, REPOSITORY],
  [EVERYWHERE, 'fuzz-short', ANY, REPOSITORY],
  [
    EVERYWHERE,
    'bundle',
    ANY,
    'it wants a bundler, and what makes single executables, which are not installed here',
  ],

  [BOTH, 'reactor-async-context', /^hooks see/, HOOKS],
  [BOTH, 'reactor-diagnostics', /^NODE_DEBUG/, DEBUG],
  [BOTH, 'poller-descriptors', /when it is collected/, HEAP],
  [BOTH, 'reactor-growth', ANY, HEAP],
  [BOTH, 'timer-wheel-allocation', ANY, HEAP],
  [BOTH, 'poller-kinds', /pidfd/, CHILDREN],
  [BOTH, 'installation', /^a file of the package is gone/, DAMAGED],

  [BOTH, 'selection-refusals', /^\{.*\}: epoll, uv$/, UV],
  [BOTH, 'selection-refusals', /^by --/, PERMISSIONS],
  [BOTH, 'doctor-permission', ANY, PERMISSIONS],
  [BOTH, 'examples', /^(poller|oneshot)\.mjs$/, FORM],

  [BUN, 'examples', /^(dump|channels)\.mjs$/, FORM],
  [
    BUN,
    'native-sequences',
    /^any history/,
    `it attaches at random: ${UV}, and Bun ends the process`,
  ],
  [BUN, 'attachment-exception', /^nobody listens/, PRINTS],
  [BUN, 'timer-first-context', /^hook/, HOOKS],
  [BUN, 'unix-datagrams-fds', ANY, GC],
  [BUN, 'written-is-let-go', ANY, GC],
  [BUN, 'duplex-http', /trailers/, HTTP],
  [BUN, 'duplex-timeouts', /headersTimeout/, HTTP],
  [BUN, 'duplex-tls', /^client and server|https|vanishes/, HTTP],
  [BUN, 'lookup-finds-none', /as that of dns/, DNS],
  [BUN, 'reactor-diagnostics', /^a slow callback/, STDERR],
  [BUN, 'testkit', /^denySyscall/, CHILDREN],

  [BUN, 'reactor-draining', /^two |^what the last callback queued/, ORDER],
  [BUN, 'reactor-batch', /^drive: what was queued/, ORDER],
  [BUN, 'reactor-exceptions', /^a nextTick throws/, ORDER],
  [BUN, 'reactor-exceptions', /^somebody listens.*: (promise|stream)$/, REJECTIONS],
  [BUN, 'reactor-exceptions', /^nobody listens/, PRINTS],
  [BUN, 'reactor-signals', /ends the process if nobody listens/, PRINTS],
  [
    BUN,
    'reactor-children',
    /^a child of node|^nothing before the end|^closed before the end|zombie|^not a child|^one that Node has|^many at once|^several watchers/,
    CHILDREN,
  ],
  [BUN, 'poller-workers', /^terminated/, THREADS],
  [BUN, 'reactor-workers', /^a worker may be terminated/, THREADS],
  [BUN, 'poller-descriptors', /^close gives everything back/, THREADS],

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
  [DENO, 'reactor-exceptions', /^nobody listens: (stream|abort|nextTick|promise|microtask)$/, NULL],
  [DENO, 'installation', /^select serves|^no binary for|^an empty/, WARNINGS],
  [DENO, 'selection-refusals', /the next is taken/, WARNINGS],
  [DENO, 'selection-refusals', /is refused by its name|both asked for/, CODE],
  [DENO, 'selection', /may not load addons/, PERMISSIONS],
  [DENO, 'accept-limits', ANY, FULL],
  [DENO, 'accept-shortage', /two seconds of EMFILE/, FULL],
  [DENO, 'closed-before-its-turn', ANY, STDIN],
  [DENO, 'tcp-adopt', /^a connection of Node's/, HANDLE],
  [DENO, 'create-connection', /^an agent keeps|maxSockets|kept connection/, AGENT],
  [DENO, 'duplex-http', /over one connection that stays|owns its thread/, AGENT],
  [DENO, 'duplex-tls', /over one connection that stays/, AGENT],
  [DENO, 'duplex-stream', /an end and a reset/, RESET],
  [DENO, 'duplex-tls', /^client and server|^garbage|vanishes/, TLS],
  [DENO, 'examples', /^unix\.mjs$/, FS],
  [DENO, 'fd-passing', /^a pipe, a file and a TCP socket/, FS],
  [DENO, 'poller-refusal-hint', ANY, AGAIN],
  [DENO, 'blocking-again', ANY, NONBLOCKING],
  [DENO, 'native-sequences', ANY, REVOKED],
  [DENO, 'memory-bounded', /^bad clients/, OWN],
  [DENO, 'descriptors', /^a worker that ends/, WORKERS],
  [DENO, 'fd-leaks', /^a worker that is terminated/, WORKERS],
  [DENO, 'testkit', /worker/, WORKERS],
  [DENO, 'udp-echo', /with Node's own socket/, DGRAM],
  [DENO, 'reactor-signals', /refused: what is no signal/, SIGNALS],
  [DENO, 'reactor-bad-input-handles', /^signal/, SIGNALS],

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
