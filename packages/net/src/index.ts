// @pollux/net: UDP and TCP sockets on a reactor.
export { type CreateConnectionOptions, createConnection } from './create-connection.js';
export type { DatagramInfo } from './datagram-inbox.js';
export type { Datagram } from './datagram-iterator.js';
export type { DatagramCallback, DatagramOptions } from './datagram-socket.js';
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
export type { UdpBindOptions, UdpCommonOptions, UdpSettings } from './udp-options.js';
export {
  type MembershipOptions,
  type UdpConnectOptions,
  type UdpOptions,
  UdpSocket,
  type UdpSocketEvents,
} from './udp-socket.js';
export type { UnixAddress } from './unix-address.js';
export {
  type UnixBindOptions,
  type UnixDatagramConnectOptions,
  type UnixDatagramEvents,
  type UnixDatagramOptions,
  UnixDatagramSocket,
} from './unix-datagram-socket.js';
export { UnixListener, type UnixListenerEvents, type UnixListenOptions } from './unix-listener.js';
export {
  type PeerCredentials,
  type UnixConnectOptions,
  UnixStream,
  type UnixStreamEvents,
} from './unix-stream.js';
