// Unix sockets, one at a time: made in pairs, questioned; and descriptors of any kind.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adopt.h"
#include "compat_posix.h"
#include "unix.h"

namespace pollux::net {
int UnixPair(OwnedFds* owned, int type, Words out) {
  const int real = SocketType(type);
  if (real < 0 || out.size < 2) return -EINVAL;
  int fds[2];
  const int result = OpenPair(real, fds);
  if (result < 0) return result;
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

int StopListening(OwnedFds* owned, int fd) {
  if (!owned->Has(fd)) return -EBADF;
  // Linux: unix_stream_connect looks at it under the lock with which it queues, so there is no gap.
  return shutdown(fd, SHUT_RD) == 0 ? 0 : -errno;
}

int PeerCredentials(OwnedFds* owned, int fd, Words out) {
  if (out.size < 3) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
#if defined(SO_PEERCRED) && !defined(__OpenBSD__)  // whose struct is another
  struct {
    int32_t pid;
    uint32_t uid;
    uint32_t gid;
  } peer{};
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -errno;
  memcpy(out.data, &peer, sizeof peer);
  return 3;
#elif defined(LOCAL_PEERPID)  // Darwin
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  socklen_t length = sizeof pid;
  if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &length) != 0) return -errno;
  if (getpeereid(fd, &uid, &gid) != 0) return -errno;
  out.data[0] = pid;
  out.data[1] = static_cast<int32_t>(uid);
  out.data[2] = static_cast<int32_t>(gid);
  return 3;
#else
  return -ENOTSUP;
#endif
}

int DuplicateFds(OwnedFds* owned, Words fds, int count, Words out) {
  if (!fds.Holds(count) || !out.Holds(count)) return -EINVAL;
  // All are looked at first: a duplicate may get the number of one that is closed.
  for (int i = 0; i < count; i++) {
    if (fcntl(fds.data[i], F_GETFD) < 0) return -errno;
  }
  for (int i = 0; i < count; i++) {
    const int copy = Duplicate(owned, fds.data[i]);
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
