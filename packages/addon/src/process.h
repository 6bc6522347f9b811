// Processes as descriptors: pidfd_open(2).
#pragma once

#include <stddef.h>

#include "pollux/fd.h"

namespace pollux {

// How a process ended: this bit and a status of wait(2).
constexpr int kExitKnown = 0x10000;

// The descriptors of processes that one environment (the main thread's, or a
// worker's) has opened. Whatever JavaScript left open is closed at its end: a
// worker may be terminated between any two lines. Other numbers are refused.
class Processes {
 public:
  Processes() = default;
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;
  ~Processes();

  // A close-on-exec descriptor that is readable once the process has ended, or
  // -errno: ESRCH, ENOSYS before Linux 5.3 and elsewhere.
  int Open(int pid);
  // kExitKnown and the status; 0 while that cannot be told. `reap` takes the
  // status, so that no zombie is left.
  int Exit(Fd pidfd, bool reap) const;
  int Close(Fd pidfd);
  void CloseAll();

 private:
  // Where it is in the list, count_ if it is not.
  size_t Find(Fd pidfd) const;

  Fd* fds_ = nullptr;
  size_t count_ = 0;
  size_t room_ = 0;
};

}  // namespace pollux
