// Sockets in every state that a poller has to tell apart, and what stands in for a pipe: select and
// AFD know sockets only. All are nonblocking and not inheritable, and talk over the loopback.
#include <stdint.h>

#include "binding.h"
#include "socket_windows.h"

namespace testkit {
namespace {

SOCKET Make(int type) {
  ScopedSocket made(
      WSASocketW(AF_INET, type, 0, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT));
  if (!made.ok() || !SetNonblocking(made.get(), true)) return INVALID_SOCKET;
  return SocketOf(made.Release());
}

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Binds to a free port and tells it.
int BindLoopback(SOCKET socket) {
  sockaddr_in address = Loopback(0);
  int size = sizeof(address);
  if (bind(socket, reinterpret_cast<sockaddr*>(&address), size) != 0) return -1;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
  return ntohs(address.sin_port);
}

// 0, or a negative errno; a connection under way is none.
int ConnectLoopback(SOCKET socket, int port) {
  const sockaddr_in address = Loopback(port);
  if (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return 0;
  const int error = pollux::LastWinsockError();
  return error == -EAGAIN ? 0 : error;
}

int64_t TcpSocket() {
  const SOCKET made = Make(SOCK_STREAM);
  return made == INVALID_SOCKET ? pollux::LastWinsockError() : static_cast<int64_t>(made);
}

int64_t TcpListener(Ints port) {
  if (port.size < 1) return -EINVAL;
  ScopedSocket made(Make(SOCK_STREAM));
  if (!made.ok()) return pollux::LastWinsockError();
  const int bound = BindLoopback(made.get());
  if (bound < 0 || listen(made.get(), SOMAXCONN) != 0) return pollux::LastWinsockError();
  port.data[0] = bound;
  return made.Release();
}

int64_t TcpConnect(int port) {
  ScopedSocket made(Make(SOCK_STREAM));
  if (!made.ok()) return pollux::LastWinsockError();
  const int connected = ConnectLoopback(made.get(), port);
  return connected < 0 ? connected : made.Release();
}

SOCKET Accepted(SOCKET listener) {
  ScopedSocket made(accept(listener, nullptr, nullptr));
  if (!made.ok() || !SetNonblocking(made.get(), true)) return INVALID_SOCKET;
  SetHandleInformation(reinterpret_cast<HANDLE>(made.get()), HANDLE_FLAG_INHERIT, 0);
  return SocketOf(made.Release());
}

// Small, so that they can be filled; and what is written is there at once.
void Tune(SOCKET socket) {
  const int size = 65536, on = 1;
  const auto* bytes = reinterpret_cast<const char*>(&size);
  setsockopt(socket, SOL_SOCKET, SO_SNDBUF, bytes, sizeof(size));
  setsockopt(socket, SOL_SOCKET, SO_RCVBUF, bytes, sizeof(size));
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<const char*>(&on), sizeof(on));
}

int64_t TcpPair(Ints out) {
  int32_t port;
  if (out.size < 2) return -EINVAL;
  const int64_t listening = TcpListener({&port, 1});
  if (listening < 0) return listening;
  ScopedSocket listener(SocketOf(static_cast<int>(listening)));
  ScopedSocket client(Make(SOCK_STREAM));
  if (!client.ok()) return pollux::LastWinsockError();
  const int connected = ConnectLoopback(client.get(), port);
  if (connected < 0) return connected;
  // Until both ends have it.
  WSAPOLLFD both[] = {{client.get(), POLLWRNORM, 0}, {listener.get(), POLLRDNORM, 0}};
  for (WSAPOLLFD& one : both) {
    if (WSAPoll(&one, 1, 5000) != 1) return -ETIMEDOUT;
  }
  ScopedSocket server(Accepted(listener.get()));
  if (!server.ok()) return pollux::LastWinsockError();
  Tune(client.get());
  Tune(server.get());
  out.data[0] = client.Release();
  out.data[1] = server.Release();
  return 0;
}

int64_t UdpSocket(Ints port) {
  if (port.size < 1) return -EINVAL;
  ScopedSocket made(Make(SOCK_DGRAM));
  if (!made.ok()) return pollux::LastWinsockError();
  const int bound = BindLoopback(made.get());
  if (bound < 0) return pollux::LastWinsockError();
  port.data[0] = bound;
  return made.Release();
}

int64_t UdpConnect(int fd, int port) {
  const int connected = ConnectLoopback(SocketOf(fd), port);
  return connected == -ENOTSOCK ? pollux::NoSocket(SocketOf(fd)) : connected;
}

int64_t UdpSendTo(int fd, int port, Bytes bytes) {
  const sockaddr_in address = Loopback(port);
  return ResultOn(fd, sendto(SocketOf(fd), reinterpret_cast<const char*>(bytes.data),
                             static_cast<int>(bytes.size), 0,
                             reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
}

// Used one way by those who ask for a pipe; that the reader could write they have to bear with.
int64_t Pipe(Ints out) { return TcpPair(out); }

// Streams and datagrams over the loopback; there are no others (and no Unix sockets in Wine 8).
int64_t SocketPair(int type, Ints out) {
  if (type == 0) return TcpPair(out);
  if (type != 1) return -ENOSYS;
  int32_t ports[2];
  if (out.size < 2) return -EINVAL;
  const int64_t first = UdpSocket({&ports[0], 1});
  if (first < 0) return first;
  ScopedSocket one(SocketOf(static_cast<int>(first)));
  const int64_t second = UdpSocket({&ports[1], 1});
  if (second < 0) return second;
  ScopedSocket other(SocketOf(static_cast<int>(second)));
  int connected = ConnectLoopback(one.get(), ports[1]);
  if (connected == 0) connected = ConnectLoopback(other.get(), ports[0]);
  if (connected < 0) return connected;
  out.data[0] = one.Release();
  out.data[1] = other.Release();
  return 0;
}

// The port stays bound for as long as it takes to connect, so that nobody else listens there.
int64_t RefusedConnect() {
  ScopedSocket deaf(Make(SOCK_STREAM));
  if (!deaf.ok()) return pollux::LastWinsockError();
  const int port = BindLoopback(deaf.get());
  return port < 0 ? pollux::LastWinsockError() : TcpConnect(port);
}

int64_t Accept(int fd) {
  const SOCKET made = Accepted(SocketOf(fd));
  return made == INVALID_SOCKET ? FailedOn(fd) : static_cast<int64_t>(made);
}

int64_t Shutdown(int fd, int how) {
  constexpr int kHow[] = {SD_RECEIVE, SD_SEND, SD_BOTH};  // as in sockets.ts
  return how < 0 || how > 2 ? -EINVAL : ResultOn(fd, shutdown(SocketOf(fd), kHow[how]));
}

int64_t SendUrgent(int fd, int byte) {
  const char urgent = static_cast<char>(byte);
  return ResultOn(fd, send(SocketOf(fd), &urgent, 1, MSG_OOB));
}

int64_t RecvUrgent(int fd) {
  char urgent;
  const int count = recv(SocketOf(fd), &urgent, 1, MSG_OOB);
  if (count == 0) return -EAGAIN;
  return count < 0 ? FailedOn(fd) : static_cast<uint8_t>(urgent);
}

int64_t ResetOnClose(int fd) {
  const linger now = {1, 0};
  return ResultOn(fd, setsockopt(SocketOf(fd), SOL_SOCKET, SO_LINGER,
                                 reinterpret_cast<const char*>(&now), sizeof(now)));
}

// Zero, or the errno that the socket had kept, as a positive number.
int64_t SocketError(int fd) {
  int error = 0;
  int size = sizeof(error);
  if (getsockopt(SocketOf(fd), SOL_SOCKET, SO_ERROR, reinterpret_cast<char*>(&error), &size) != 0) {
    return FailedOn(fd);
  }
  return error == 0 ? 0 : -pollux::FromWinsock(error);
}

TESTKIT_EXPORT(pipeByTcp, Pipe);
TESTKIT_EXPORT(pairByLoopback, SocketPair);
TESTKIT_EXPORT(tcpSocket, TcpSocket);
TESTKIT_EXPORT(tcpListener, TcpListener);
TESTKIT_EXPORT(tcpConnect, TcpConnect);
TESTKIT_EXPORT(tcpPair, TcpPair);
TESTKIT_EXPORT(refusedConnect, RefusedConnect);
TESTKIT_EXPORT(accept, Accept);
TESTKIT_EXPORT(udpSocket, UdpSocket);
TESTKIT_EXPORT(udpConnect, UdpConnect);
TESTKIT_EXPORT(udpSendTo, UdpSendTo);
TESTKIT_EXPORT(shutdown, Shutdown);
TESTKIT_EXPORT(sendUrgent, SendUrgent);
TESTKIT_EXPORT(recvUrgent, RecvUrgent);
TESTKIT_EXPORT(resetOnClose, ResetOnClose);
TESTKIT_EXPORT(socketError, SocketError);

}  // namespace
}  // namespace testkit
