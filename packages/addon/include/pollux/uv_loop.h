// A descriptor in Node's own libuv loop, without linking a single libuv symbol.
//
// The functions are found by dlsym in the running process, so the same binary
// loads where there are none. Found does not mean there is a libuv: Bun exports
// every name, and most of them abort, so it is the caller who knows the runtime
// (DRIVERS_HERE in selection.ts). The size of a handle is asked, never assumed.
#pragma once

#include <node_api.h>

#include "pollux/fd.h"

namespace pollux {

class UvLoop {
 public:
  using Ready = void (*)(void*);

  // Watches fd for readability in the loop of `env`: `ready(argument)` is called
  // on the JavaScript thread, outside any callback scope, once per turn of the
  // loop while the descriptor is readable. 0, -ENOSYS without libuv, or what
  // libuv refused with.
  int Start(napi_env env, Fd fd, Ready ready, void* argument);
  // No calls until Resume, which also looks anew at the open file behind the
  // number. Resume without Pause does no harm.
  void Pause();
  // A negative errno where the loop would not take the descriptor.
  int Resume();
  void KeepAlive(bool keep);
  // No call of `ready` after this. The handle closes in a later turn of the loop.
  void Stop();
  bool running() const { return watch_ != nullptr; }

 private:
  struct Watch;
  static void OnPoll(void* handle, int status, int events);
  static void OnClosed(void* handle);
  static void OnExit(napi_async_cleanup_hook_handle hook, void* argument);

  Watch* watch_ = nullptr;
};

}  // namespace pollux
