// Pipes and sockets in every state that a poller has to tell apart. All are close-on-exec and
// nonblocking, and talk over the loopback only.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "binding.h"
#include "scoped_fd.h"

namespace testkit {
namespace {

// Where the system can make a descriptor with its flags at once, a child that another thread spawns
// in between cannot inherit it and hold a connection open.
#ifdef SOCK_CLOEXEC
constexpr int kBorn = SOCK_CLOEXEC | SOCK_NONBLOCK;
int MakePipe(int* fds) { return pipe2(fds, O_CLOEXEC | O_NONBLOCK); }
int MakeSocket(int domain, int type) { return socket(domain, type | kBorn, 0); }
int MakePair(int type, int* fds) { return socketpair(AF_UNIX, type | kBorn, 0, fds); }
int MakeAccepted(int fd) { return accept4(fd, nullptr, nullptr, kBorn); }
#else
int WithFlags(int fd) {
  ScopedFd scoped(fd);
  if (!scoped.ok() || SetFlags(fd) < 0) return -1;
  return scoped.Release();
}
int BothWithFlags(int* fds) {
  if (SetFlags(fds[0]) == 0 && SetFlags(fds[1]) == 0) return 0;
  close(fds[0]);
  close(fds[1]);
  return -1;
}
int MakePipe(int* fds) { return pipe(fds) < 0 ? -1 : BothWithFlags(fds); }
int MakeSocket(int domain, int type) { return WithFlags(socket(domain, type, 0)); }
int MakePair(int type, int* fds) {
  return socketpair(AF_UNIX, type, 0, fds) < 0 ? -1 : BothWithFlags(fds);
}
int MakeAccepted(int fd) { return WithFlags(accept(fd, nullptr, nullptr)); }
#endif

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Binds to a free port and tells it.
int BindLoopback(int fd) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) < 0) return -1;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0) return -1;
  return ntohs(address.sin_port);
}

int ConnectLoopback(int fd, int port) {
  const sockaddr_in address = Loopback(port);
  return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

int64_t Pipe(Ints out) {
  int fds[2];
  if (out.size < 2) return -EINVAL;
  if (MakePipe(fds) < 0) return -errno;
  out.data[0] = fds[0];
  out.data[1] = fds[1];
  return 0;
}

constexpr int kTypes[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};  // as in sockets.ts
bool IsType(int type) { return type >= 0 && type < 3; }

int64_t SocketPair(int type, Ints out) {
  int fds[2];
  if (out.size < 2 || !IsType(type)) return -EINVAL;
  if (MakePair(kTypes[type], fds) < 0) return -errno;
  out.data[0] = fds[0];
  out.data[1] = fds[1];
  return 0;
}

int64_t TcpSocket() { return Result(MakeSocket(AF_INET, SOCK_STREAM)); }

int64_t TcpListener(Ints port) {
  if (port.size < 1) return -EINVAL;
  ScopedFd fd(MakeSocket(AF_INET, SOCK_STREAM));
  if (!fd.ok()) return -errno;
  const int bound = BindLoopback(fd.get());
  if (bound < 0 || listen(fd.get(), 511) < 0) return -errno;
  port.data[0] = bound;
  return fd.Release();
}

int64_t TcpConnect(int port) {
  ScopedFd fd(MakeSocket(AF_INET, SOCK_STREAM));
  if (!fd.ok()) return -errno;
  if (ConnectLoopback(fd.get(), port) < 0 && errno != EINPROGRESS) return -errno;
  return fd.Release();
}

// A path as narrow as can be, told before the connection is made: small segments keep the sender's
// buffer small too, which Linux sizes by them.
int64_t TcpConnectNarrow(int port) {
  ScopedFd fd(MakeSocket(AF_INET, SOCK_STREAM));
  if (!fd.ok()) return -errno;
  const int segment = 536;
  const int room = 4096;
  if (setsockopt(fd.get(), IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment)) < 0 ||
      setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) < 0) {
    return -errno;
  }
  if (ConnectLoopback(fd.get(), port) < 0 && errno != EINPROGRESS) return -errno;
  return fd.Release();
}

int64_t TcpPair(Ints out) {
  int32_t port;
  if (out.size < 2) return -EINVAL;
  const int64_t listening = TcpListener({&port, 1});
  if (listening < 0) return listening;
  ScopedFd listener(static_cast<int>(listening));
  ScopedFd client(socket(AF_INET, SOCK_STREAM, 0));
  // The client blocks until it is connected; its last word may still be on its way to the listener.
  if (!client.ok() || ConnectLoopback(client.get(), port) < 0) return -errno;
  if (SetFlags(client.get()) < 0) return -errno;
  pollfd arrived = {listener.get(), POLLIN, 0};
  const int found = poll(&arrived, 1, 5000);
  if (found != 1) return found < 0 ? -errno : -ETIMEDOUT;
  ScopedFd server(MakeAccepted(listener.get()));
  if (!server.ok()) return -errno;
  const int on = 1;
  setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(server.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  out.data[0] = client.Release();
  out.data[1] = server.Release();
  return 0;
}

// The port stays bound, so that nobody else can listen there, but does not listen.
int64_t RefusedConnect() {
  ScopedFd deaf(MakeSocket(AF_INET, SOCK_STREAM));
  if (!deaf.ok()) return -errno;
  const int port = BindLoopback(deaf.get());
  return port < 0 ? -errno : TcpConnect(port);
}

int64_t Accept(int fd) { return Result(MakeAccepted(fd)); }

int64_t UdpSocket(Ints port) {
  if (port.size < 1) return -EINVAL;
  ScopedFd fd(MakeSocket(AF_INET, SOCK_DGRAM));
  if (!fd.ok()) return -errno;
  const int bound = BindLoopback(fd.get());
  if (bound < 0) return -errno;
  port.data[0] = bound;
  return fd.Release();
}

int64_t UdpConnect(int fd, int port) { return Result(ConnectLoopback(fd, port)); }

int64_t UdpSendTo(int fd, int port, Bytes bytes) {
  const sockaddr_in address = Loopback(port);
  return Result(sendto(fd, bytes.data, bytes.size, 0, reinterpret_cast<const sockaddr*>(&address),
                       sizeof(address)));
}

bool UnixAddress(const Text& path, sockaddr_un* address) {
  const size_t length = strlen(path.data);
  *address = {};
  address->sun_family = AF_UNIX;
  if (length == 0 || length >= sizeof(address->sun_path)) return false;
  memcpy(address->sun_path, path.data, length);
  return true;
}

int64_t UnixBind(Text path, int type) {
  sockaddr_un address;
  if (!IsType(type) || !UnixAddress(path, &address)) return -EINVAL;
  ScopedFd fd(MakeSocket(AF_UNIX, kTypes[type]));
  if (!fd.ok()) return -errno;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) return -errno;
  if (kTypes[type] != SOCK_DGRAM && listen(fd.get(), 511) < 0) return -errno;
  return fd.Release();
}

int64_t UnixConnect(Text path, int type) {
  sockaddr_un address;
  if (!IsType(type) || !UnixAddress(path, &address)) return -EINVAL;
  ScopedFd fd(MakeSocket(AF_UNIX, kTypes[type]));
  if (!fd.ok()) return -errno;
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) return -errno;
  return fd.Release();
}

int64_t UnixDgram() { return Result(MakeSocket(AF_UNIX, SOCK_DGRAM)); }

int64_t Shutdown(int fd, int how) {
  constexpr int kHow[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};  // as in sockets.ts
  return how < 0 || how > 2 ? -EINVAL : Result(shutdown(fd, kHow[how]));
}

int64_t Send(int fd, Bytes bytes) { return Result(send(fd, bytes.data, bytes.size, MSG_NOSIGNAL)); }

int64_t Recv(int fd, Bytes into) { return Result(recv(fd, into.data, into.size, 0)); }

int64_t SendUrgent(int fd, int byte) {
  const uint8_t urgent = static_cast<uint8_t>(byte);
  return Result(send(fd, &urgent, 1, MSG_OOB));
}

int64_t RecvUrgent(int fd) {
  uint8_t urgent;
  const ssize_t count = recv(fd, &urgent, 1, MSG_OOB);
  if (count == 0) return -EAGAIN;
  return count < 0 ? -errno : urgent;
}

int64_t ResetOnClose(int fd) {
  const linger now = {1, 0};
  return Result(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
}

// Zero or the errno that the socket had kept, as a positive number: it is the answer, not a
// failure.
int64_t SocketError(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? -errno : error;
}

TESTKIT_EXPORT(pipe, Pipe);
TESTKIT_EXPORT(socketpair, SocketPair);
TESTKIT_EXPORT(tcpSocket, TcpSocket);
TESTKIT_EXPORT(tcpListener, TcpListener);
TESTKIT_EXPORT(tcpConnect, TcpConnect);
TESTKIT_EXPORT(tcpConnectNarrow, TcpConnectNarrow);
TESTKIT_EXPORT(tcpPair, TcpPair);
TESTKIT_EXPORT(refusedConnect, RefusedConnect);
TESTKIT_EXPORT(accept, Accept);
TESTKIT_EXPORT(udpSocket, UdpSocket);
TESTKIT_EXPORT(udpConnect, UdpConnect);
TESTKIT_EXPORT(udpSendTo, UdpSendTo);
TESTKIT_EXPORT(unixBind, UnixBind);
TESTKIT_EXPORT(unixConnect, UnixConnect);
TESTKIT_EXPORT(unixDgram, UnixDgram);
TESTKIT_EXPORT(shutdown, Shutdown);
TESTKIT_EXPORT(send, Send);
TESTKIT_EXPORT(recv, Recv);
TESTKIT_EXPORT(sendUrgent, SendUrgent);
TESTKIT_EXPORT(recvUrgent, RecvUrgent);
TESTKIT_EXPORT(resetOnClose, ResetOnClose);
TESTKIT_EXPORT(socketError, SocketError);

}  // namespace
}  // namespace testkit
