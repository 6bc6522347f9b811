// Reading, writing and questioning any descriptor, and poll(2) as the oracle that a poller is
// compared with.
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "binding.h"
#include "scoped_fd.h"

namespace testkit {
namespace {

int64_t Read(int fd, Bytes into) {
  ssize_t count;
  do count = read(fd, into.data, into.size);
  while (count < 0 && errno == EINTR);
  return Result(count);
}

int64_t Write(int fd, Bytes bytes) {
  ssize_t count;
  do count = write(fd, bytes.data, bytes.size);
  while (count < 0 && errno == EINTR);
  return Result(count);
}

bool IsBlocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_NONBLOCK) == 0;
}

// Until not one more byte fits. Full for 64 kB is not full yet, so the writes get smaller.
int64_t Fill(int fd) {
  if (IsBlocking(fd)) return -EINVAL;
  constexpr int64_t kEndless = 64 << 20;  // /dev/null, UDP: they never say no
  uint8_t block[65536];
  memset(block, '.', sizeof(block));
  int64_t total = 0;
  for (size_t size = sizeof(block); size > 0;) {
    const int64_t count = Write(fd, {block, size});
    if (count > 0) {
      total += count;
      if (total > kEndless) return -EFBIG;
    } else if (count == -EAGAIN || count == -EMSGSIZE) {
      size /= 2;
    } else {
      return count < 0 ? count : total;
    }
  }
  return total;
}

int64_t Drain(int fd) {
  if (IsBlocking(fd)) return -EINVAL;
  uint8_t buffer[65536];
  int64_t total = 0;
  for (;;) {
    const int64_t count = Read(fd, {buffer, sizeof(buffer)});
    if (count == 0 || count == -EAGAIN) return total;
    if (count < 0) return count;
    total += count;
  }
}

int64_t Close(int fd) { return Result(close(fd)); }

int64_t DupTo(int fd, int at_least) { return Result(fcntl(fd, F_DUPFD_CLOEXEC, at_least)); }

int64_t Dup2(int from, int to) {
  const int fd = dup2(from, to);
  if (fd < 0) return -errno;
  if (from != to && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return -errno;
  return fd;
}

int64_t IsCloexec(int fd) {
  const int flags = fcntl(fd, F_GETFD);
  return flags < 0 ? -errno : (flags & FD_CLOEXEC) != 0;
}

int64_t IsNonblocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -errno : (flags & O_NONBLOCK) != 0;
}

int64_t SetNonblocking(int fd, bool on) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  return Result(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

int64_t OpenFile(Text path, int flags) {
  return Result(open(path.data, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600));
}

int64_t MakeFifo(Text path) { return Result(mkfifo(path.data, 0600)); }

// Tells what each of `fds` has of `events`, which holds poll's bits in the order of kBits.
constexpr short kBits[] = {
    POLLIN,    POLLOUT, POLLPRI, POLLERR, POLLHUP, POLLNVAL,
#ifdef POLLRDHUP
    POLLRDHUP,
#endif
};

int64_t Poll(Ints fds, int events, Ints revents, int timeout_ms) {
  if (revents.size < fds.size) return -EINVAL;
  short wanted = 0;
  for (size_t i = 0; i < sizeof(kBits) / sizeof(*kBits); i++) {
    if (events & (1 << i)) wanted = static_cast<short>(wanted | kBits[i]);
  }
  pollfd* polled = static_cast<pollfd*>(calloc(fds.size + 1, sizeof(pollfd)));
  if (polled == nullptr) return -ENOMEM;
  for (size_t i = 0; i < fds.size; i++) polled[i] = {fds.data[i], wanted, 0};
  const int64_t count = Result(poll(polled, static_cast<nfds_t>(fds.size), timeout_ms));
  for (size_t i = 0; i < fds.size && count >= 0; i++) {
    revents.data[i] = 0;
    for (size_t bit = 0; bit < sizeof(kBits) / sizeof(*kBits); bit++) {
      if (polled[i].revents & kBits[bit]) revents.data[i] |= 1 << bit;
    }
  }
  free(polled);
  return count;
}

int64_t RaiseNofile() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  return limit.rlim_cur > INT32_MAX ? INT32_MAX : static_cast<int64_t>(limit.rlim_cur);
}

TESTKIT_EXPORT(read, Read);
TESTKIT_EXPORT(write, Write);
TESTKIT_EXPORT(fill, Fill);
TESTKIT_EXPORT(drain, Drain);
TESTKIT_EXPORT(close, Close);
TESTKIT_EXPORT(dupTo, DupTo);
TESTKIT_EXPORT(dup2, Dup2);
TESTKIT_EXPORT(isCloexec, IsCloexec);
TESTKIT_EXPORT(isNonblocking, IsNonblocking);
TESTKIT_EXPORT(setNonblocking, SetNonblocking);
TESTKIT_EXPORT(open, OpenFile);
TESTKIT_EXPORT(mkfifo, MakeFifo);
TESTKIT_EXPORT(poll, Poll);
TESTKIT_EXPORT(raiseNofile, RaiseNofile);

}  // namespace
}  // namespace testkit
