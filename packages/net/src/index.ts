// @pollux/net: UDP, TCP and Unix sockets on a reactor.
export { type CreateConnectionOptions, createConnection } from './create-connection.js';
export type { DatagramInfo } from './datagram-inbox.js';
export type { Datagram, DatagramCallback, DatagramOptions } from './datagram-options.js';
export {
  type DuplexSource,
  SocketDuplex,
  type SocketDuplexOptions,
  toDuplex,
} from './duplex.js';
export type { Endpoint } from './endpoint.js';
export { type Descriptor, OwnedFd } from './owned-fd.js';
export type { ReceiveCallback } from './stream-options.js';
export {
  TcpListener,
  type TcpListenerEvents,
  type TcpListenOptions,
} from './tcp-listener.js';
export type { TcpOpenOptions } from './tcp-open.js';
export type { TcpConnectOptions, TcpStreamOptions } from './tcp-options.js';
export { TcpStream, type TcpStreamEvents } from './tcp-stream.js';
export type {
  MembershipOptions,
  UdpBindOptions,
  UdpCommonOptions,
  UdpConnectOptions,
  UdpOptions,
  UdpSettings,
} from './udp-options.js';
export { UdpSocket, type UdpSocketEvents } from './udp-socket.js';
export type { UnixAddress } from './unix-address.js';
export type {
  UnixBindOptions,
  UnixDatagramConnectOptions,
  UnixDatagramOptions,
} from './unix-datagram-options.js';
export { type UnixDatagramEvents, UnixDatagramSocket } from './unix-datagram-socket.js';
export { UnixListener, type UnixListenerEvents, type UnixListenOptions } from './unix-listener.js';
export {
  type PeerCredentials,
  type UnixConnectOptions,
  UnixStream,
  type UnixStreamEvents,
} from './unix-stream.js';
