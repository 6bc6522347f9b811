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

  // From where the bytes lie: no Buffer is made of them.
  stream.receive((buffer, offset, length) => {
    const skipped = Math.min(bodyLeft, length);
    bodyLeft -= skipped;
    received += buffer.toString('latin1', offset + skipped, offset + length);
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
    return stream.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n` +
        'Content-Type: text/plain; charset=utf-8\r\n' +
        `Content-Length: ${Buffer.byteLength(text)}\r\n` +
        `Connection: ${head?.keepAlive ? 'keep-alive' : 'close'}\r\n\r\n` +
        `${head?.method === 'HEAD' ? '' : text}`,
    );
  }

  function refuse(status: number): false {
    write(status, `${STATUS_CODES[status]}\n`);
    return finish();
  }

  function finish(): false {
    stream.receive(undefined).resume().end(); // what still comes is dropped
    return false;
  }
}

/** A request's head, or the status that refuses it. */
function parse(text: string): Head | number {
  const [, method, path, version] = /^([A-Z]+) (\S+) HTTP\/1\.([01])(?:\r\n|$)/.exec(text) ?? [];
  if (method === undefined || path === undefined) return 400;
  if (!/\r\n(?:transfer-encoding|content-length|connection):/i.test(text)) {
    return { method, path, keepAlive: version === '1', bodyLength: 0 };
  }
  if (/\r\ntransfer-encoding:/i.test(text)) return 501;
  const bodyLength = Number(/\r\ncontent-length:([^\r]*)/i.exec(text)?.[1] ?? 0);
  if (!Number.isSafeInteger(bodyLength) || bodyLength < 0) return 400;
  const connection = /\r\nconnection:[ \t]*([^\r \t]*)/i.exec(text)?.[1]?.toLowerCase();
  const keepAlive = version === '1' ? connection !== 'close' : connection === 'keep-alive';
  return { method, path, keepAlive, bodyLength };
}
