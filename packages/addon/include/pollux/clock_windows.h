// QueryPerformanceCounter: the clock behind process.hrtime and performance.now() of Node on
// Windows, so that "not early" is said of the clock that JavaScript reads.
#pragma once

#include <stdint.h>

#include "pollux/windows.h"

namespace pollux {

inline uint64_t MonotonicNs() {
  // Neither can fail since Windows XP, and both are answered in user space.
  LARGE_INTEGER count, frequency;
  QueryPerformanceCounter(&count);
  QueryPerformanceFrequency(&frequency);
  const uint64_t ticks = static_cast<uint64_t>(count.QuadPart);
  const uint64_t per_second = static_cast<uint64_t>(frequency.QuadPart);
  // In two parts: ticks * 1e9 would overflow after minutes at 10 MHz.
  return ticks / per_second * 1000000000u + ticks % per_second * 1000000000u / per_second;
}

}  // namespace pollux
