// Monotonic time in nanoseconds, and timeouts that cannot overflow.
//
// Timeouts cross the border from JavaScript as milliseconds in a double, with
// fractions; they are rounded up, for a wait must never end early.
#pragma once

#include <stdint.h>

#ifdef _WIN32
#include "pollux/clock_windows.h"
#else
#include "pollux/clock_posix.h"
#endif

namespace pollux {

constexpr uint64_t kForever = UINT64_MAX;

// Infinity, and whatever would not fit, is forever; NaN and below zero are zero
// (TypeScript refuses both before they come here).
inline uint64_t TimeoutFromMs(double ms) {
  if (!(ms > 0)) return 0;
  if (ms >= 9e12) return kForever;  // 285 years: 9e18 ns still fits 63 bits
  const double ns = ms * 1e6;
  const uint64_t whole = static_cast<uint64_t>(ns);
  return static_cast<double>(whole) < ns ? whole + 1 : whole;
}

inline uint64_t DeadlineAfter(uint64_t timeout_ns) {
  if (timeout_ns == kForever) return kForever;
  const uint64_t now = MonotonicNs();
  return timeout_ns > kForever - 1 - now ? kForever : now + timeout_ns;
}

inline uint64_t TimeUntil(uint64_t deadline) {
  if (deadline == kForever) return kForever;
  const uint64_t now = MonotonicNs();
  return deadline > now ? deadline - now : 0;
}

}  // namespace pollux
