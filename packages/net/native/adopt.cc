// Sockets that somebody else has opened, taken over. Each is looked at first: what its class could
// not work with is refused.
#include "adopt.h"

#include <errno.h>

#include "compat.h"
#include "net.h"
#include "unix.h"

namespace pollux::net {
namespace {

// A descriptor of our own for a socket that is somebody else's; nonblocking, and so is theirs.
int Adopt(OwnedFds* owned, int fd) {
  const int copy = Duplicate(owned, fd);
  if (copy < 0) return copy;
  const int result = SetNonblocking(copy);
  if (result == 0) return copy;
  Close(owned, copy);
  return result;
}

}  // namespace

int Keep(OwnedFds* owned, int fd) {
  if (fd < 0 || owned->Add(fd)) return fd;
  CloseDescriptor(fd);
  return -ENOMEM;
}

int Duplicate(OwnedFds* owned, int fd) { return Keep(owned, DuplicateDescriptor(fd)); }

int SocketType(int type) {
  if (type == kStream) return SOCK_STREAM;
  return type == kDatagram ? SOCK_DGRAM : -EINVAL;
}

int AdoptListener(OwnedFds* owned, int fd) {
  SocketKind kind;
  const int result = KindOf(fd, &kind);
  if (result < 0) return result;
  // Unix sockets and vsocks listen too; what they accept has no address that we could tell.
  if (!kind.listens || !kind.IsIp()) return -EINVAL;
  return Adopt(owned, fd);
}

int AdoptStream(OwnedFds* owned, int fd) {
  SocketKind kind;
  int result = KindOf(fd, &kind);
  if (result < 0) return result;
  if (kind.type != SOCK_STREAM || !kind.IsIp()) return -EINVAL;
  result = CheckConnected(fd);
  return result < 0 ? result : Adopt(owned, fd);
}

int AdoptUdp(OwnedFds* owned, int fd) {
  SocketKind kind;
  const int result = KindOf(fd, &kind);
  if (result < 0) return result;
  if (kind.type != SOCK_DGRAM || !kind.IsIp()) return -EINVAL;
  // ICMP has datagram sockets too.
  if (!IsUdp(fd)) return -EINVAL;
  const int copy = Adopt(owned, fd);
  if (copy >= 0) PrepareDatagrams(copy);
  return copy;
}

int AdoptUnix(OwnedFds* owned, int fd, int type, int listens) {
  const int wanted = SocketType(type);
  if (wanted < 0) return wanted;
  SocketKind kind;
  int result = KindOf(fd, &kind);
  if (result < 0) return result;
  if (kind.family != AF_UNIX || kind.type != wanted) return -EINVAL;
  if (kind.listens != (listens != 0)) return -EINVAL;
  if (wanted == SOCK_STREAM && !kind.listens) {
    result = CheckConnected(fd);
    if (result < 0) return result == -ENOTCONN ? -EINVAL : result;
  }
  return Adopt(owned, fd);
}

}  // namespace pollux::net
