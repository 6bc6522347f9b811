// The bell of primitives that have none of their own: a pipe to oneself, whose
// reading end is watched with the others.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

namespace pollux {

class WakePipe {
 public:
  WakePipe() = default;
  WakePipe(const WakePipe&) = delete;
  WakePipe& operator=(const WakePipe&) = delete;
  ~WakePipe() { Close(); }

  // 0 or a negative errno.
  int Open() {
    int ends[2];
    if (pipe(ends) != 0) return -errno;
    read_ = ends[0];
    write_ = ends[1];
    // pipe2 is not in every POSIX system. A child forked by another thread between
    // pipe and fcntl inherits the two: open, but unused there.
    for (const int end : ends) {
      if (fcntl(end, F_SETFD, FD_CLOEXEC) != 0 || fcntl(end, F_SETFL, O_NONBLOCK) != 0) {
        const int error = -errno;
        Close();
        return error;
      }
    }
    return 0;
  }

  void Close() {
    if (read_ >= 0) close(read_);
    if (write_ >= 0) close(write_);
    read_ = write_ = -1;
  }

  // Readable since the last Ring, until Silence.
  int fd() const { return read_; }
  bool Owns(int fd) const { return fd >= 0 && (fd == read_ || fd == write_); }

  // Async-signal-safe, any thread.
  void Ring() {
    const char one = 1;
    // EAGAIN: the pipe is full, so it is readable already.
    while (write(write_, &one, 1) < 0 && errno == EINTR) {
    }
  }

  void Silence() {
    char drained[64];
    ssize_t got;
    do {
      got = read(read_, drained, sizeof drained);
    } while (got == static_cast<ssize_t>(sizeof drained) || (got < 0 && errno == EINTR));
  }

 private:
  int read_ = -1;
  int write_ = -1;
};

}  // namespace pollux
