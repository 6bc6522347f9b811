// Sockets that somebody else has opened, taken over. Each is looked at first: what its class could
// not work with is refused.
#include "adopt_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "compat_posix.h"
#include "net.h"
#include "unix.h"

namespace pollux::net {
namespace {

int Option(int fd, int name, int* value) {
  socklen_t length = sizeof *value;
  return getsockopt(fd, SOL_SOCKET, name, value, &length) == 0 ? 0 : -errno;
}

int CheckConnected(int fd) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0 ? 0 : -errno;
}

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
  close(fd);
  return -ENOMEM;
}

int Duplicate(OwnedFds* owned, int fd) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return copy < 0 ? -errno : Keep(owned, copy);
}

int SocketType(int type) {
  if (type == kStream) return SOCK_STREAM;
  return type == kDatagram ? SOCK_DGRAM : -EINVAL;
}

int KindOf(int fd, SocketKind* kind) {
  int listens = 0;
  int result = Option(fd, SO_TYPE, &kind->type);
  if (result == 0) result = Option(fd, SO_ACCEPTCONN, &listens);
  if (result < 0) return result;
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length) != 0) return -errno;
  kind->family = local.ss_family;
  kind->listens = listens != 0;
  return 0;
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
#ifdef SO_PROTOCOL
  // ICMP has datagram sockets too.
  int protocol = -1;
  if (Option(fd, SO_PROTOCOL, &protocol) < 0 || protocol != IPPROTO_UDP) return -EINVAL;
#endif
  return Adopt(owned, fd);
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
