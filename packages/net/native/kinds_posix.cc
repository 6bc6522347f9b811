// What somebody's descriptor is, asked of the system.
#include <errno.h>

#include "adopt.h"
#include "compat_posix.h"

namespace pollux::net {
namespace {

int Option(int fd, int name, int* value) {
  socklen_t length = sizeof *value;
  return getsockopt(fd, SOL_SOCKET, name, value, &length) == 0 ? 0 : -errno;
}

}  // namespace

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

int CheckConnected(int fd) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0 ? 0 : -errno;
}

bool IsUdp(int fd) {
#ifdef SO_PROTOCOL
  int protocol = -1;
  return Option(fd, SO_PROTOCOL, &protocol) == 0 && protocol == IPPROTO_UDP;
#else
  (void)fd;
  return true;
#endif
}

}  // namespace pollux::net
