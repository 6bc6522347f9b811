// A UDP server in a few lines: whatever comes in goes back to where it came from.
//
//   node examples/dist/udp-echo.js [port]
//   echo hi | nc -u -w1 127.0.0.1 41234
import { EventEmitter } from 'node:events';
import { Reactor } from '@pollux/core';
import { type Endpoint, UdpSocket } from '@pollux/net';

class UdpServer extends EventEmitter<{ message: [data: Buffer, peer: Endpoint] }> {
  readonly #port: number;
  #socket: UdpSocket | undefined;

  constructor(port: number) {
    super();
    this.#port = port;
  }

  /** Opens the socket; from here on messages come, inside Node's own event loop. */
  start(): Endpoint {
    this.#socket = UdpSocket.bind(new Reactor(), { address: '127.0.0.1', port: this.#port });
    this.#socket.on('message', (data, peer) => this.emit('message', data, peer));
    this.#socket.on('error', (error) => console.error(error.message));
    return this.#socket.address();
  }

  send(data: Buffer, peer: Endpoint): void {
    this.#socket?.send(data, peer);
  }

  stop(): void {
    this.#socket?.close();
  }
}

function createServer(port: number): UdpServer {
  return new UdpServer(port);
}

const server = createServer(Number(process.argv[2] ?? 41234));

server.on('message', (data, peer) => server.send(data, peer));

process.once('SIGINT', () => server.stop());

const { address, port } = server.start();
console.log(`echoing on udp ${address}:${port}; Ctrl-C stops`);
