// close(2) and its like, ahead of the C library's: a kernel with kqueue forgets the
// knotes of a number when it is closed, and nothing on Linux would tell the model.
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "model.h"

namespace {

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// In a forked child, which shares the epolls of the model but has no kqueue, nothing is
// done; nor where there is no kqueue.
void Forget(int fd) {
  if (!model::Kqueue::Any()) return;
  const int error = errno;
  {
    model::Guard guard;
    model::Kqueue::Closed(fd);
  }
  errno = error;
}

}  // namespace

int model::RealClose(int fd) {
  static const auto next = Next<int (*)(int)>("close");
  return next(fd);
}

extern "C" int close(int fd) {
  Forget(fd);
  return model::RealClose(fd);
}

// libuv closes so.
extern "C" long syscall(long number, ...) {
  static const auto next = Next<long (*)(long, ...)>("syscall");
  va_list list;
  va_start(list, number);
  long values[6];
  for (long& value : values) value = va_arg(list, long);
  va_end(list);
  if (number == SYS_close) Forget(static_cast<int>(values[0]));
  return next(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

extern "C" int dup2(int from, int to) {
  static const auto next = Next<int (*)(int, int)>("dup2");
  if (from != to) Forget(to);
  return next(from, to);
}

extern "C" int dup3(int from, int to, int flags) {
  static const auto next = Next<int (*)(int, int, int)>("dup3");
  if (from != to) Forget(to);
  return next(from, to, flags);
}
