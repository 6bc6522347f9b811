// Sockets as the helpers make them on Windows: nonblocking, not inheritable, closed on every way
// out of a function that does not give them away.
#pragma once

#include <errno.h>

#include "pollux/windows.h"
#include "pollux/winsock_error.h"

namespace testkit {

class ScopedSocket {
 public:
  explicit ScopedSocket(SOCKET socket) : socket_(socket) {}
  ScopedSocket(const ScopedSocket&) = delete;
  ScopedSocket& operator=(const ScopedSocket&) = delete;
  ~ScopedSocket() {
    if (!ok()) return;
    const int error = WSAGetLastError();  // what the caller is about to report
    closesocket(socket_);
    WSASetLastError(error);
  }
  SOCKET get() const { return socket_; }
  bool ok() const { return socket_ != INVALID_SOCKET; }
  // As a number of JavaScript: handles fit 31 bits.
  int Release() {
    const int fd = static_cast<int>(socket_);
    socket_ = INVALID_SOCKET;
    return fd;
  }

 private:
  SOCKET socket_;
};

inline SOCKET SocketOf(int fd) { return static_cast<SOCKET>(static_cast<unsigned>(fd)); }

// The negative errno of the call that has just failed on `fd`: a number that is no socket at all is
// EBADF, as everywhere else.
inline int FailedOn(int fd) {
  const int error = pollux::LastWinsockError();
  return error == -ENOTSOCK ? pollux::NoSocket(SocketOf(fd)) : error;
}

// The result of a call that is 0, or SOCKET_ERROR, or a count.
inline int64_t ResultOn(int fd, int64_t result) { return result < 0 ? FailedOn(fd) : result; }

inline bool SetNonblocking(SOCKET socket, bool on) {
  u_long value = on;
  return ioctlsocket(socket, FIONBIO, &value) == 0;
}

}  // namespace testkit
