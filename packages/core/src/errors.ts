// Every error that Pollux throws is made here.
//
// Three kinds. A wrong argument is a TypeError or RangeError with Node's own code and the
// argument's name. A wrong use is a PolluxError with a code ERR_POLLUX_*. A refusal of the system is
// an Error as Node's: `code`, `errno` (negative), `syscall`, and `fd` or `address` where there is one.
import { os, util } from './builtins.js';

/** What a misuse is called. Match these, not messages. */
export type PolluxErrorCode =
  /** The object was closed before. */
  | 'ERR_POLLUX_CLOSED'
  /** A blocking call on a poller or reactor that runs inside Node's own loop. */
  | 'ERR_POLLUX_ATTACHED'
  /** A call that only a reactor inside Node's own loop has, on one that blocks. */
  | 'ERR_POLLUX_BLOCKING'
  /** A loop was started inside one of its own callbacks. */
  | 'ERR_POLLUX_NESTED'
  /** The chosen backend cannot do this; `capabilities` tells beforehand. */
  | 'ERR_POLLUX_UNSUPPORTED'
  /** Edge and level watchers were mixed on one descriptor. */
  | 'ERR_POLLUX_MIXED_MODES'
  /** No backend could be chosen; `candidates` tells why each was passed over. */
  | 'ERR_POLLUX_NO_BACKEND'
  /** A package has no native code that could be loaded here; the message says where it was sought. */
  | 'ERR_POLLUX_NO_ADDON'
  /** `poller.events` was transferred away; it has been replaced. */
  | 'ERR_POLLUX_EVENTS_DETACHED'
  /** More waited to be written to a stream than its `maxQueuedBytes`. */
  | 'ERR_POLLUX_QUEUE_FULL';

const BRAND = Symbol.for('pollux.error');

/** A misuse, told apart by its `code`. `instanceof` holds across two copies of this package. */
export class PolluxError extends Error {
  readonly code: PolluxErrorCode;

  constructor(code: PolluxErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    Object.defineProperty(this, 'name', { value: 'PolluxError', configurable: true });
    Object.defineProperty(this, BRAND, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}

/** An error of the operating system. */
export interface SystemError extends Error {
  /** The name of the error: `'EBADF'`. */
  code: string;
  /** The negative number of the error on this system: `-9`. */
  errno: number;
  /** The system call that refused: `'epoll_ctl'`. */
  syscall: string;
  /** The descriptor that was refused. */
  fd?: number;
  pid?: number;
  address?: string;
  port?: number;
}

/** Details that go into the message and onto the error. */
export interface SystemErrorDetails {
  fd?: number;
  pid?: number;
  address?: string;
  port?: number;
}

/** What Node knows of an error: its own number, its name, and what it says. */
function nodesError(errno: number): [errno: number, code: string, text: string] {
  const map = util().getSystemErrorMap();
  const known = map.get(errno);
  if (known !== undefined) return [errno, ...known];
  // On Windows the C library numbers errors in one way and Node in another; their names are the same.
  const name = Object.entries(os().constants.errno).find(([, number]) => number === -errno)?.[0];
  for (const [number, [code, text]] of map) if (code === name) return [number, code, text];
  return [errno, name ?? `E${-errno}`, 'unknown error'];
}

/**
 * Makes the Error of a negative errno of the C library; the one place that does. `hint` stands
 * in the message behind what the error is.
 */
export function systemError(
  result: number,
  syscall: string,
  details: SystemErrorDetails = {},
  hint?: string,
): SystemError {
  const [errno, code, text] = nodesError(result);
  let where = '';
  if (details.address !== undefined) where = ` ${formatAddress(details.address, details.port)}`;
  else if (details.fd !== undefined) where = ` (fd ${details.fd})`;
  else if (details.pid !== undefined) where = ` (pid ${details.pid})`;
  const more = hint === undefined ? '' : ` (${hint})`;
  const error = new Error(`${code}: ${text}${more}, ${syscall}${where}`);
  return Object.assign(error, { errno, code, syscall, ...details });
}

function formatAddress(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function withCode<T extends Error>(error: T, code: string): T & { code: string } {
  return Object.assign(error, { code });
}

function show(value: unknown): string {
  let text: string;
  try {
    text = util().inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY });
  } catch {
    text = `a hostile ${typeof value}`; // a getter or a proxy that throws
  }
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** A value of the wrong type: TypeError, ERR_INVALID_ARG_TYPE. */
export function invalidType(name: string, expected: string, value: unknown): TypeError {
  const message = `The "${name}" argument must be ${expected}. Received ${show(value)}`;
  return withCode(new TypeError(message), 'ERR_INVALID_ARG_TYPE');
}

/** A value of the right type that means nothing: TypeError, ERR_INVALID_ARG_VALUE. */
export function invalidValue(name: string, expected: string, value: unknown): TypeError {
  // What an environment variable says is no argument of anybody's.
  const what = name.startsWith('POLLUX_') ? 'environment variable' : 'argument';
  const message = `The "${name}" ${what} must be ${expected}. Received ${show(value)}`;
  return withCode(new TypeError(message), 'ERR_INVALID_ARG_VALUE');
}

/** A number out of its range: RangeError, ERR_OUT_OF_RANGE. */
export function outOfRange(name: string, range: string, value: unknown): RangeError {
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${show(value)}`;
  return withCode(new RangeError(message), 'ERR_OUT_OF_RANGE');
}
