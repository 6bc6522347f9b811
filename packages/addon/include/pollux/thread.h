// Mutex, condition and thread of this system, without the C++ runtime library:
// std::thread would pull libstdc++ into every prebuilt binary.
#pragma once

#ifdef _WIN32
#include "pollux/thread_windows.h"
#else
#include "pollux/thread_posix.h"
#endif

namespace pollux {

class Lock {
 public:
  explicit Lock(Mutex& mutex) : mutex_(mutex) { mutex_.Acquire(); }
  ~Lock() { mutex_.Release(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace pollux
