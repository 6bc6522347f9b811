// clock_gettime(2) with CLOCK_MONOTONIC: the clock of epoll's and select's own
// timeouts on Linux, so that "not early" is said of one clock.
#pragma once

#include <stdint.h>
#include <time.h>

namespace pollux {

inline uint64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace pollux
