// The part of the Node-API class that only some primitives have: iocp's handles, kqueue's processes
// and files. The others answer -ENOSYS. See backend.h.
#include <errno.h>

#include "arguments.h"
#include "poller.h"

namespace pollux {

// (handle, key)
Napi::Value Poller::WatchHandle(const Napi::CallbackInfo& info) {
  uint32_t handle, key;
  if (!engine_.open() || !ReadUint32(info[0], &handle) || !ReadUint32(info[1], &key)) {
    return Result(info, -EINVAL);
  }
  return Result(info, engine_.backend()->WatchHandle(handle, key));
}

// (handle)
Napi::Value Poller::UnwatchHandle(const Napi::CallbackInfo& info) {
  uint32_t handle;
  if (!engine_.open() || !ReadUint32(info[0], &handle)) return Result(info, -EINVAL);
  return Result(info, engine_.backend()->UnwatchHandle(handle));
}

// (pid, key)
Napi::Value Poller::WatchProcess(const Napi::CallbackInfo& info) {
  uint32_t pid, key;
  if (!engine_.open() || !ReadUint32(info[0], &pid) || !ReadUint32(info[1], &key)) {
    return Result(info, -EINVAL);
  }
  return Result(info, engine_.backend()->WatchProcess(static_cast<int>(pid), key));
}

// (pid)
Napi::Value Poller::UnwatchProcess(const Napi::CallbackInfo& info) {
  uint32_t pid;
  if (!engine_.open() || !ReadUint32(info[0], &pid)) return Result(info, -EINVAL);
  return Result(info, engine_.backend()->UnwatchProcess(static_cast<int>(pid)));
}

// (fd, changes, key)
Napi::Value Poller::WatchVnode(const Napi::CallbackInfo& info) {
  Fd fd;
  uint32_t changes, key;
  if (!engine_.open() || !ReadFd(info[0], &fd) || !ReadUint32(info[1], &changes) ||
      !ReadUint32(info[2], &key)) {
    return Result(info, -EINVAL);
  }
  return Result(info, engine_.backend()->WatchVnode(fd, changes, key));
}

// (fd)
Napi::Value Poller::UnwatchVnode(const Napi::CallbackInfo& info) {
  Fd fd;
  if (!engine_.open() || !ReadFd(info[0], &fd)) return Result(info, -EINVAL);
  return Result(info, engine_.backend()->UnwatchVnode(fd));
}

}  // namespace pollux
