// Just enough HTTP/1.1 to say hello, for http-hello.ts and demo.ts: requests are answered in order,
// connections stay open, a request's body is skipped. No more than that; do not put it on a network.
import { STATUS_CODES } from 'node:http';
import type { TcpStream } from '@pollux/net';

export interface Request {
  readonly method: string;
  readonly path: string;
}

interface Head extends Request {
  readonly keepAlive: boolean;
  readonly bodyLength: number;
}

const MAX_HEAD = 16_384;

/** Answers every request that comes on this connection with what `respond` says. */
export function serveHttp(stream: TcpStream, respond: (request: Request) => string): void {
  let received = ''; // what is not a whole head yet
  let bodyLeft = 0;

  stream.on('data', (data) => {
    const skipped = Math.min(bodyLeft, data.length);
    bodyLeft -= skipped;
    received += data.toString('latin1', skipped);
    while (answerOne());
  });
  // A client that asks without reading the answers: no more questions until it has.
  stream.on('drain', () => stream.resume());
  // A client that breaks off is no news.
  stream.on('error', () => {});

  /** False if there is no whole request yet, or will be none. */
  function answerOne(): boolean {
    const end = received.indexOf('\r\n\r\n');
    if (end < 0) return received.length > MAX_HEAD && refuse(431);
    const head = parse(received.slice(0, end));
    if (typeof head === 'number') return refuse(head);

    received = received.slice(end + 4);
    const skipped = Math.min(head.bodyLength, received.length);
    received = received.slice(skipped);
    bodyLeft = head.bodyLength - skipped;

    if (!write(200, respond(head), head)) stream.pause();
    return head.keepAlive || finish();
  }

  function write(status: number, text: string, head?: Head): boolean {
    const lines = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(text)}`,
      `Connection: ${head?.keepAlive ? 'keep-alive' : 'close'}`,
    ];
    return stream.write(`${lines.join('\r\n')}\r\n\r\n${head?.method === 'HEAD' ? '' : text}`);
  }

  function refuse(status: number): false {
    write(status, `${STATUS_CODES[status]}\n`);
    return finish();
  }

  function finish(): false {
    stream.removeAllListeners('data'); // what still comes is dropped
    stream.resume().end();
    return false;
  }
}

/** A request's head, or the status that refuses it. */
function parse(text: string): Head | number {
  const [requestLine = '', ...lines] = text.split('\r\n');
  const [, method, path, version] = /^([A-Z]+) (\S+) HTTP\/1\.([01])$/.exec(requestLine) ?? [];
  if (method === undefined || path === undefined) return 400;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  if (headers.has('transfer-encoding')) return 501;
  const bodyLength = Number(headers.get('content-length') ?? 0);
  if (!Number.isSafeInteger(bodyLength) || bodyLength < 0) return 400;
  const connection = headers.get('connection')?.toLowerCase();
  const keepAlive = version === '1' ? connection !== 'close' : connection === 'keep-alive';
  return { method, path, keepAlive, bodyLength };
}
