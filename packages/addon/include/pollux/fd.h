// What a descriptor is on this system: an int on POSIX, a SOCKET on Windows.
#pragma once

#include <stdint.h>

namespace pollux {

#ifdef _WIN32
using Fd = uintptr_t;
constexpr Fd kNoFd = static_cast<Fd>(-1);
#else
using Fd = int;
constexpr Fd kNoFd = -1;
#endif

}  // namespace pollux
