// See compat_posix.h.
#include "compat_posix.h"

#include <fcntl.h>
#include <unistd.h>

namespace pollux::net {
namespace {

// A call that this system does not know, or that a seccomp filter forbids.
[[maybe_unused]] bool IsMissing(int result) { return result == -ENOSYS || result == -EPERM; }

int Prepare(int fd) {
  if (fd < 0) return -errno;
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    const int error = -errno;
    close(fd);
    return error;
  }
#ifdef SO_NOSIGPIPE
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  return fd;
}

int ReceiveOneByOne(int fd, Message* messages, unsigned int count) {
  unsigned int done = 0;
  while (done < count) {
    const ssize_t length = recvmsg(fd, &messages[done].msg_hdr, kNoWait);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return done > 0 ? static_cast<int>(done) : -errno;
    messages[done++].msg_len = static_cast<unsigned int>(length);
  }
  return static_cast<int>(done);
}

int SendOneByOne(int fd, Message* messages, unsigned int count) {
  unsigned int done = 0;
  while (done < count) {
    const ssize_t length = sendmsg(fd, &messages[done].msg_hdr, kNoSignal | kNoWait);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return done > 0 ? static_cast<int>(done) : -errno;
    messages[done++].msg_len = static_cast<unsigned int>(length);
  }
  return static_cast<int>(done);
}

}  // namespace

int OpenSocket(int domain, int type) {
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
  const int fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd < 0 ? -errno : fd;
#else
  return Prepare(socket(domain, type, 0));
#endif
}

void StayNonblocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int AcceptConnection(int listener, sockaddr* address, socklen_t* length) {
  const socklen_t room = *length;
  int result;
  do {
    *length = room;
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
    result = accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (result < 0) result = -errno;
    // EPERM may also be a firewall's (accept(2)), which took the connection with it: then the
    // plain call goes on with the next one.
    if (!IsMissing(result)) continue;
    *length = room;
#endif
    result = Prepare(accept(listener, address, length));
  } while (result == -EINTR);
  return result;
}

int ReceiveBatch(int fd, Message* messages, unsigned int count) {
#ifdef MSG_WAITFORONE
  int result;
  do {
    result = recvmmsg(fd, messages, count, kNoWait, nullptr);
    if (result < 0) result = -errno;
  } while (result == -EINTR);
  if (!IsMissing(result)) return result;
#endif
  return ReceiveOneByOne(fd, messages, count);
}

int SendBatch(int fd, Message* messages, unsigned int count) {
#ifdef MSG_WAITFORONE
  int result;
  do {
    result = sendmmsg(fd, messages, count, kNoSignal | kNoWait);
    if (result < 0) result = -errno;
  } while (result == -EINTR);
  // A firewall's EPERM for this datagram comes again from sendmsg.
  if (!IsMissing(result)) return result;
#endif
  return SendOneByOne(fd, messages, count);
}

}  // namespace pollux::net
