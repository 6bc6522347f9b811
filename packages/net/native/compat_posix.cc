// See compat_posix.h.
#include "compat_posix.h"

#include <fcntl.h>
#include <unistd.h>

namespace pollux::net {
namespace {

// A call that this system does not know, or that a seccomp filter forbids.
[[maybe_unused]] bool IsMissing(int64_t result) { return result == -ENOSYS || result == -EPERM; }

void Hush([[maybe_unused]] int fd) {
#ifdef SO_NOSIGPIPE
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}

// A negative errno is passed on.
int Prepare(int fd) {
  if (fd < 0) return fd;
  int result = SetNonblocking(fd);
  if (result == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) result = -errno;
  if (result < 0) {
    close(fd);
    return result;
  }
  Hush(fd);
  return fd;
}

// Where there is no call for many: call(header) for one after the other.
template <typename Call>
int OneByOne(Message* messages, unsigned int count, int* failure, Call call) {
  unsigned int done = 0;
  while (done < count) {
    const int64_t length = Uninterrupted([&] { return call(&messages[done].msg_hdr); });
    if (length < 0) {
      if (done == 0) return static_cast<int>(length);
      if (!IsAgain(length)) *failure = static_cast<int>(length);
      break;
    }
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
  const int fd = socket(domain, type, 0);
  return Prepare(fd < 0 ? -errno : fd);
#endif
}

int OpenPair(int type, int fds[2]) {
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
  return socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0 ? 0 : -errno;
#else
  if (socketpair(AF_UNIX, type, 0, fds) != 0) return -errno;
  const int first = Prepare(fds[0]);
  const int second = Prepare(fds[1]);
  if (first >= 0 && second >= 0) return 0;
  if (first >= 0) close(first);
  if (second >= 0) close(second);
  return first < 0 ? first : second;
#endif
}

int SetNonblocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  if ((flags & O_NONBLOCK) != 0) return 0;
  return fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : -errno;
}

int AcceptConnection(int listener, sockaddr* address, socklen_t* length) {
  const socklen_t room = *length;
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
  const int64_t accepted = Uninterrupted([&] {
    *length = room;
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  });
  // EPERM may also be a firewall's (accept(2)), which took the connection with it: then the plain
  // call goes on with the next one.
  if (!IsMissing(accepted)) return static_cast<int>(accepted);
#endif
  const int64_t fd = Uninterrupted([&] {
    *length = room;
    return accept(listener, address, length);
  });
  return Prepare(static_cast<int>(fd));
}

// Linux passes on what is pending on the new socket, and the man page says to treat it like EAGAIN;
// here the next connection is tried at once.
bool IsLostConnection(int result) {
  switch (-result) {
    case ECONNABORTED:
    case EPERM:  // a firewall's rule
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

int DuplicateDescriptor(int fd) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return -errno;
  Hush(copy);
  return copy;
}

void CloseDescriptor(int fd) { close(fd); }

int64_t ReceiveBytes(int fd, uint8_t* data, size_t room) {
  return Uninterrupted([&] { return recv(fd, data, room, kNoWait); });
}

int64_t SendVectors(int fd, Vector* vectors, int count) {
  const msghdr header = MessageOf(vectors, count);
  const int64_t sent = Uninterrupted([&] { return sendmsg(fd, &header, kNoSignal | kNoWait); });
  // Darwin's word for a connection that is being torn down (libuv#3405); a stream is of no wrong
  // type.
  return sent == -EPROTOTYPE ? -ECONNRESET : sent;
}

// recvmmsg(2) of Linux keeps the error of a later message for the next call.
int ReceiveBatch(int fd, Message* messages, unsigned int count, int* failure) {
  *failure = 0;
#ifdef MSG_WAITFORONE
  const int64_t result =
      Uninterrupted([&] { return recvmmsg(fd, messages, count, kNoWait, nullptr); });
  if (!IsMissing(result)) return static_cast<int>(result);
#endif
  return OneByOne(messages, count, failure,
                  [fd](msghdr* header) { return recvmsg(fd, header, kNoWait); });
}

int SendBatch(int fd, Message* messages, unsigned int count) {
  constexpr int flags = kNoSignal | kNoWait;
#ifdef MSG_WAITFORONE
  const int64_t result = Uninterrupted([&] { return sendmmsg(fd, messages, count, flags); });
  // A firewall's EPERM for this datagram comes again from sendmsg.
  if (!IsMissing(result)) return static_cast<int>(result);
#endif
  int told_again = 0;
  return OneByOne(messages, count, &told_again,
                  [fd](msghdr* header) { return sendmsg(fd, header, flags); });
}

}  // namespace pollux::net
