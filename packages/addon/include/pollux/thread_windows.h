// Slim locks, condition variables and threads of Win32 under the three names that thread.h
// promises.
#pragma once

#include <errno.h>

#include <new>

#include "pollux/windows.h"

namespace pollux {

// Constant-initialised, so that a global one needs no constructor to run.
class Mutex {
 public:
  constexpr Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  void Acquire() { AcquireSRWLockExclusive(&lock_); }
  void Release() { ReleaseSRWLockExclusive(&lock_); }

 private:
  friend class Condition;
  SRWLOCK lock_ = SRWLOCK_INIT;
};

class Condition {
 public:
  constexpr Condition() = default;
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;
  void Wait(Mutex& mutex) { SleepConditionVariableSRW(&condition_, &mutex.lock_, INFINITE, 0); }
  void Signal() { WakeConditionVariable(&condition_); }

 private:
  CONDITION_VARIABLE condition_ = CONDITION_VARIABLE_INIT;
};

class Thread {
 public:
  // 0 or a negative errno.
  int Start(void* (*entry)(void*), void* argument) {
    auto* start = new (std::nothrow) Begin{entry, argument};
    if (start == nullptr) return -ENOMEM;
    thread_ = CreateThread(nullptr, 0, &Thread::Run, start, 0, nullptr);
    if (thread_ != nullptr) return 0;
    delete start;
    return -EAGAIN;
  }
  void Join() {
    WaitForSingleObject(thread_, INFINITE);
    CloseHandle(thread_);
    thread_ = nullptr;
  }

 private:
  struct Begin {
    void* (*entry)(void*);
    void* argument;
  };
  static DWORD WINAPI Run(void* start) {
    const Begin begin = *static_cast<Begin*>(start);
    delete static_cast<Begin*>(start);
    begin.entry(begin.argument);
    return 0;
  }

  HANDLE thread_ = nullptr;
};

}  // namespace pollux
