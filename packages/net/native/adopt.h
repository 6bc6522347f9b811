// Descriptors become ours: close-on-exec, nonblocking if they are sockets to work on, and in the
// set of owned ones, or else closed.
#pragma once

#include "compat.h"
#include "owned_fds.h"

namespace pollux::net {

// Into the owned set, or closed: the descriptor, or -ENOMEM. A negative errno is passed on.
int Keep(OwnedFds* owned, int fd);
// A descriptor of our own for an open file that is somebody's.
int Duplicate(OwnedFds* owned, int fd);

// The system's number of a type of sockets (kStream, kDatagram), or -EINVAL.
int SocketType(int type);
// What a socket is, anybody's.
struct SocketKind {
  int family;
  int type;
  bool listens;
  bool IsIp() const { return family == AF_INET || family == AF_INET6; }
};
int KindOf(int fd, SocketKind* kind);
// 0, or -ENOTCONN.
int CheckConnected(int fd);
bool IsUdp(int fd);

}  // namespace pollux::net
