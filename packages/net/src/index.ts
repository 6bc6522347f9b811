// @pollux/net: UDP and TCP sockets on a reactor.
export type { Endpoint } from './endpoint.js';
export {
  TcpListener,
  type TcpListenerEvents,
  type TcpListenOptions,
} from './tcp-listener.js';
export type { TcpConnectOptions, TcpStreamEvents, TcpStreamOptions } from './tcp-options.js';
export { TcpStream } from './tcp-stream.js';
export {
  type UdpConnectOptions,
  type UdpOptions,
  UdpSocket,
  type UdpSocketEvents,
} from './udp-socket.js';
