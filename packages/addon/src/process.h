// Processes as descriptors: pidfd_open(2).
#pragma once

#include "pollux/fd.h"

namespace pollux {

// A close-on-exec descriptor that is readable once the process has ended, or
// -errno: ESRCH, ENOSYS before Linux 5.3 and elsewhere.
Fd OpenProcess(int pid);

// How the process of a pidfd ended: kExitKnown and a status of wait(2); 0 while
// that cannot be told. `reap` takes the status, so that no zombie is left.
constexpr int kExitKnown = 0x10000;
int ProcessExit(Fd pidfd, bool reap);

}  // namespace pollux
