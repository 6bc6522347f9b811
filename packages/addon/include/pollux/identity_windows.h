// What Winsock tells of a socket that its successor under the same number would hardly share:
// address family, type, the port that it is bound to, and of a stream the port of its peer: two
// connections that live beside each other may share the one, not both.
//
// As on POSIX, only "another" is proven: a bound socket cannot be bound anew, so one that lost its
// port, or has a different one, is another. Equal answers prove little.
#pragma once

#include "pollux/fd.h"
#include "pollux/windows.h"
#include "pollux/winsock_error.h"

namespace pollux {

struct Identity {
  int family = 0;
  int type = 0;
  uint16_t port = 0;  // 0: not bound
  uint16_t peer = 0;  // 0: no stream, or not connected

  // 0 or a negative errno: -EBADF tells that the number is free, -ENOTSOCK that it is no socket.
  static int Of(Fd fd, Identity* out) {
    if (fd == 0 || (fd & 3) != 0) return -EBADF;
    int type;
    int size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &size) != 0) {
      const int error = LastWinsockError();
      return error == -ENOTSOCK ? NoSocket(fd) : error;
    }
    sockaddr_storage address{};
    size = sizeof address;
    *out = Identity{0, type, 0, 0};
    // Fails while it is not bound (WSAEINVAL).
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    out->family = address.ss_family;
    out->port = PortOf(address);
    // Of datagrams the peer may change.
    size = sizeof address;
    if (type == SOCK_STREAM && getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
      out->peer = PortOf(address);
    }
    return 0;
  }

  // False: this is certainly not what it was `before`.
  bool MayBe(const Identity& before) const {
    if (type != before.type) return false;
    // One that was reset has no peer any more.
    if (before.peer != 0 && peer != 0 && peer != before.peer) return false;
    if (before.port != 0) return port == before.port && family == before.family;
    return true;
  }

 private:
  static uint16_t PortOf(const sockaddr_storage& address) {
    if (address.ss_family == AF_INET) {
      return reinterpret_cast<const sockaddr_in*>(&address)->sin_port;
    }
    return address.ss_family == AF_INET6
               ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
               : 0;
  }
};

}  // namespace pollux
