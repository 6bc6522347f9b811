// The part of the Node-API class that only some primitives have: iocp's handles, kqueue's processes
// and files. The others answer -ENOSYS. See backend.h.
#include <errno.h>

#include "arguments.h"
#include "poller.h"

namespace pollux {

// (handle, key)
int Poller::WatchHandle(const Arguments& arguments) {
  uint32_t handle, key;
  if (!engine_.open() || !arguments.Uint32(0, &handle) || !arguments.Uint32(1, &key)) {
    return -EINVAL;
  }
  return engine_.backend()->WatchHandle(handle, key);
}

// (handle)
int Poller::UnwatchHandle(const Arguments& arguments) {
  uint32_t handle;
  if (!engine_.open() || !arguments.Uint32(0, &handle)) return -EINVAL;
  return engine_.backend()->UnwatchHandle(handle);
}

// (pid, key)
int Poller::WatchProcess(const Arguments& arguments) {
  uint32_t pid, key;
  if (!engine_.open() || !arguments.Uint32(0, &pid) || !arguments.Uint32(1, &key)) {
    return -EINVAL;
  }
  return engine_.backend()->WatchProcess(static_cast<int>(pid), key);
}

// (pid)
int Poller::UnwatchProcess(const Arguments& arguments) {
  uint32_t pid;
  if (!engine_.open() || !arguments.Uint32(0, &pid)) return -EINVAL;
  return engine_.backend()->UnwatchProcess(static_cast<int>(pid));
}

// (fd, changes, key)
int Poller::WatchVnode(const Arguments& arguments) {
  Fd fd;
  uint32_t changes, key;
  if (!engine_.open() || !arguments.Descriptor(0, &fd) || !arguments.Uint32(1, &changes) ||
      !arguments.Uint32(2, &key)) {
    return -EINVAL;
  }
  return engine_.backend()->WatchVnode(fd, changes, key);
}

// (fd)
int Poller::UnwatchVnode(const Arguments& arguments) {
  Fd fd;
  if (!engine_.open() || !arguments.Descriptor(0, &fd)) return -EINVAL;
  return engine_.backend()->UnwatchVnode(fd);
}

}  // namespace pollux
