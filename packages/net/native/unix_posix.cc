// Unix sockets, one at a time: made in pairs, taken over, questioned.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat_posix.h"
#include "unix.h"

namespace pollux::net {
namespace {

int TypeOf(int type) {
  if (type == kStream) return SOCK_STREAM;
  return type == kDatagram ? SOCK_DGRAM : -1;
}

int GetOption(int fd, int name, int* value) {
  socklen_t length = sizeof *value;
  return getsockopt(fd, SOL_SOCKET, name, value, &length) == 0 ? 0 : -errno;
}

// Into the owned set, or closed.
int Keep(OwnedFds* owned, int fd) {
  if (owned->Add(fd)) return fd;
  close(fd);
  return -ENOMEM;
}

int SetNonblocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : -errno;
}

}  // namespace

int UnixPair(OwnedFds* owned, int type, Words out) {
  const int real = TypeOf(type);
  if (real < 0 || out.size < 2) return -EINVAL;
  int fds[2];
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
  if (socketpair(AF_UNIX, real | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) return -errno;
#else
  if (socketpair(AF_UNIX, real, 0, fds) != 0) return -errno;
  for (const int fd : fds) {
    SetNonblocking(fd);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
#ifdef SO_NOSIGPIPE
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  }
#endif
  const int first = Keep(owned, fds[0]);
  const int second = Keep(owned, fds[1]);
  if (first < 0 || second < 0) {
    if (first >= 0) Close(owned, first);
    if (second >= 0) Close(owned, second);
    return -ENOMEM;
  }
  out.data[0] = first;
  out.data[1] = second;
  return 2;
}

int AdoptUnix(OwnedFds* owned, int fd, int type, int listens) {
  const int wanted = TypeOf(type);
  if (wanted < 0) return -EINVAL;
  if (fd < 0) return -EBADF;
  int is_type = 0;
  int is_listening = 0;
  int result = GetOption(fd, SO_TYPE, &is_type);
  if (result == 0) result = GetOption(fd, SO_ACCEPTCONN, &is_listening);
  if (result < 0) return result;
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length) != 0) return -errno;
  if (name.ss_family != AF_UNIX || is_type != wanted) return -EINVAL;
  if ((is_listening != 0) != (listens != 0)) return -EINVAL;
  length = sizeof name;
  if (type == kStream && listens == 0 &&
      getpeername(fd, reinterpret_cast<sockaddr*>(&name), &length) != 0) {
    return errno == ENOTCONN ? -EINVAL : -errno;
  }
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return -errno;
  result = SetNonblocking(copy);
  if (result < 0) {
    close(copy);
    return result;
  }
  return Keep(owned, copy);
}

int StopListening(OwnedFds* owned, int fd) {
  if (!owned->Has(fd)) return -EBADF;
  // Linux: unix_stream_connect looks at it under the lock with which it queues, so there is no gap.
  return shutdown(fd, SHUT_RD) == 0 ? 0 : -errno;
}

int PeerCredentials(OwnedFds* owned, int fd, Words out) {
  if (out.size < 3) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
#ifdef SO_PEERCRED
  struct {
    int32_t pid;
    uint32_t uid;
    uint32_t gid;
  } peer{};
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -errno;
  memcpy(out.data, &peer, sizeof peer);
  return 3;
#else
  return -ENOTSUP;
#endif
}

int DuplicateFds(OwnedFds* owned, Words fds, int count, Words out) {
  if (count < 0 || static_cast<size_t>(count) > fds.size || static_cast<size_t>(count) > out.size) {
    return -EINVAL;
  }
  // All are looked at first: a duplicate may get the number of one that is closed.
  for (int i = 0; i < count; i++) {
    if (fcntl(fds.data[i], F_GETFD) < 0) return -errno;
  }
  for (int i = 0; i < count; i++) {
    int copy = fcntl(fds.data[i], F_DUPFD_CLOEXEC, 0);
    if (copy < 0) copy = -errno;
    if (copy >= 0) copy = Keep(owned, copy);
    if (copy < 0) {
      while (i > 0) Close(owned, out.data[--i]);
      return copy;
    }
    out.data[i] = copy;
  }
  return count;
}

int ReleaseFd(OwnedFds* owned, int fd) { return owned->Remove(fd) ? fd : -EBADF; }

}  // namespace pollux::net
