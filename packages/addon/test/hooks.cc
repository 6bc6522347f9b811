// Stands between the sources under test and four functions of the C library, by the linker's
// --wrap: for no memory,
// in the process or in the kernel, and for a kernel or a seccomp filter without epoll_pwait2.
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <atomic>

#include "harness.h"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

namespace {

std::atomic<int> successes_left{-1};  // -1: without end
std::atomic<int> adds_left{-1};
std::atomic<bool> any_failed{false};
std::atomic<int> pwait2_error{0};

bool MayAllocate() {
  const int left = successes_left.load();
  if (left < 0) return true;
  if (left > 0) {
    successes_left = left - 1;
    return true;
  }
  any_failed = true;
  return false;
}

}  // namespace

extern "C" {

// The reserved names are the linker's.
void* __real_calloc(size_t count, size_t size);
void* __real_realloc(void* memory, size_t size);
int __real_epoll_ctl(int epoll, int operation, int fd, epoll_event* event);
long __real_syscall(long number, ...);
void* __wrap_calloc(size_t count, size_t size);
void* __wrap_realloc(void* memory, size_t size);
int __wrap_epoll_ctl(int epoll, int operation, int fd, epoll_event* event);
long __wrap_syscall(long number, ...);

void* __wrap_calloc(size_t count, size_t size) {
  return MayAllocate() ? __real_calloc(count, size) : nullptr;
}

void* __wrap_realloc(void* memory, size_t size) {
  return MayAllocate() ? __real_realloc(memory, size) : nullptr;
}

int __wrap_epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
  const int result = __real_epoll_ctl(epoll, operation, fd, event);
  if (result != 0 || operation != EPOLL_CTL_ADD || adds_left < 0) return result;
  if (adds_left > 0) {
    adds_left--;
    return result;
  }
  // The kernel runs out of memory after it has found nothing else to refuse.
  __real_epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);
  errno = ENOMEM;
  return -1;
}

long __wrap_syscall(long number, ...) {
  if (number != SYS_epoll_pwait2) abort();  // the one there is, with six arguments
  if (pwait2_error != 0) {
    errno = pwait2_error;
    return -1;
  }
  long a[6];
  va_list list;
  va_start(list, number);
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

}  // extern "C"

namespace pollux::harness {

void FailAllocationsAfter(int successes) {
  any_failed = false;
  successes_left = successes;
}

bool LetAllocationsSucceed() {
  successes_left = -1;
  return any_failed;
}

void FailEpollAddsAfter(int successes) { adds_left = successes; }
void LetEpollAddsSucceed() { adds_left = -1; }

void RefusePwait2(int error) { pwait2_error = error; }

}  // namespace pollux::harness
