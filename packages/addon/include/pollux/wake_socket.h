// The bell of primitives that watch sockets only: a UDP socket to itself, watched with the others.
// Winsock must have been started.
#pragma once

#include "pollux/fd.h"
#include "pollux/winsock_error.h"

namespace pollux {

class WakeSocket {
 public:
  WakeSocket() = default;
  WakeSocket(const WakeSocket&) = delete;
  WakeSocket& operator=(const WakeSocket&) = delete;
  ~WakeSocket() { Close(); }

  // Bound to a port of the loopback and connected to that very port, so it takes datagrams from
  // itself only. Not inheritable. 0 or a negative errno.
  int Open() {
    socket_ = WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, nullptr, 0,
                         WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (socket_ == kNoFd) return LastWinsockError();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* at = reinterpret_cast<sockaddr*>(&address);
    int size = sizeof address;
    u_long on = 1;
    if (bind(socket_, at, size) != 0 || getsockname(socket_, at, &size) != 0 ||
        connect(socket_, at, size) != 0 || ioctlsocket(socket_, FIONBIO, &on) != 0) {
      const int error = LastWinsockError();
      Close();
      return error;
    }
    return 0;
  }

  void Close() {
    if (socket_ != kNoFd) closesocket(socket_);
    socket_ = kNoFd;
  }

  // Readable since the last Ring, until Silence.
  Fd fd() const { return socket_; }
  bool Owns(Fd fd) const { return fd != kNoFd && fd == socket_; }

  // Any thread.
  void Ring() {
    const char one = 1;
    // WSAEWOULDBLOCK: the buffer is full, so it is readable already.
    send(socket_, &one, 1, 0);
  }

  void Silence() {
    char drained[16];
    while (recv(socket_, drained, sizeof drained, 0) >= 0) {
    }
  }

 private:
  Fd socket_ = kNoFd;
};

}  // namespace pollux
