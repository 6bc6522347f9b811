// Closes a descriptor on every way out of a function that does not give it away.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

namespace testkit {

class ScopedFd {
 public:
  explicit ScopedFd(int fd) : fd_(fd) {}
  ScopedFd(const ScopedFd&) = delete;
  ScopedFd& operator=(const ScopedFd&) = delete;
  ~ScopedFd() {
    if (fd_ < 0) return;
    const int error = errno;  // what the caller is about to report
    close(fd_);
    errno = error;
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

// The result of a system call as a helper returns it.
inline int64_t Result(int64_t result) { return result < 0 ? -errno : result; }

// For what cannot be born with the two flags.
inline int SetFlags(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -1;
  return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

}  // namespace testkit
