// Lines out of a stream, for heartbeat.ts and chat.ts. A stream is bytes: one read may bring half a
// line, many lines, or half a character.
import { StringDecoder } from 'node:string_decoder';
import type { TcpStream } from '@pollux/net';

/**
 * Calls back with the whole lines of each read, without their ends. What comes last without a newline
 * is no line. A peer that sends a longer one than `maxLength` is cut off, so nobody makes us keep more.
 */
export function onLines(
  stream: TcpStream,
  maxLength: number,
  callback: (lines: string[]) => void,
): void {
  const decoder = new StringDecoder('utf8');
  let unfinished = '';

  stream.on('data', (data) => {
    const lines = (unfinished + decoder.write(data)).split('\n');
    unfinished = lines.pop() ?? '';
    if (unfinished.length > maxLength || lines.some((line) => line.length > maxLength)) {
      stream.destroy(new Error(`A line is longer than ${maxLength}`));
    } else if (lines.length > 0) {
      callback(lines.map((line) => line.replace(/\r$/, '')));
    }
  });
}
