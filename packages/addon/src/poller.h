// The Node-API class that serves every backend.
//
// It translates and nothing else: arguments to the engine's, results to a count
// or a negative errno. It is private to @pollux/core, whose TypeScript has
// validated every argument; it still refuses junk with -EINVAL, for nothing that
// JavaScript can pass may crash the process. The TypeScript face of it is
// `NativePoller` in packages/core/src/backend.ts.
#pragma once

#include <napi.h>

#include "pollux/engine.h"
#include "pollux/uv_loop.h"

namespace pollux {

class Poller : public Napi::ObjectWrap<Poller> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit Poller(const Napi::CallbackInfo& info);
  ~Poller() override;

 private:
  // Lives until the threadsafe function is gone, which may outlive the poller.
  struct Attachment {
    Poller* poller;
  };

  Napi::Value Open(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);
  Napi::Value Add(const Napi::CallbackInfo& info);
  Napi::Value Modify(const Napi::CallbackInfo& info);
  Napi::Value Delete(const Napi::CallbackInfo& info);
  Napi::Value CanWatch(const Napi::CallbackInfo& info);
  Napi::Value WatchHandle(const Napi::CallbackInfo& info);
  Napi::Value UnwatchHandle(const Napi::CallbackInfo& info);
  Napi::Value WatchProcess(const Napi::CallbackInfo& info);
  Napi::Value UnwatchProcess(const Napi::CallbackInfo& info);
  Napi::Value WatchVnode(const Napi::CallbackInfo& info);
  Napi::Value UnwatchVnode(const Napi::CallbackInfo& info);
  Napi::Value Wait(const Napi::CallbackInfo& info);
  Napi::Value Notify(const Napi::CallbackInfo& info);
  Napi::Value Attach(const Napi::CallbackInfo& info);
  Napi::Value Detach(const Napi::CallbackInfo& info);
  Napi::Value Arm(const Napi::CallbackInfo& info);
  Napi::Value Retime(const Napi::CallbackInfo& info);
  Napi::Value Harvest(const Napi::CallbackInfo& info);
  Napi::Value KeepAlive(const Napi::CallbackInfo& info);
  Napi::Value WakerId(const Napi::CallbackInfo& info);
  Napi::Value PollableFd(const Napi::CallbackInfo& info);
  Napi::Value ResolutionMs(const Napi::CallbackInfo& info);
  Napi::Value ReadCounters(const Napi::CallbackInfo& info);

  static Napi::Value Result(const Napi::CallbackInfo& info, int result);
  bool Registration(const Napi::CallbackInfo& info, Fd* fd, Ask* ask, uint32_t* key);
  void CloseAll();
  void DetachAll();
  void HookCleanup();
  void UnhookCleanup();
  static void OnReady(void* self);
  static void OnExit(void* self);
  static void CallJavaScript(napi_env env, napi_value callback, void* context, void* data);
  static void FinalizeAttachment(napi_env env, void* data, void* hint);
  int AttachThread(napi_env env, napi_value callback);
  int AttachUv(napi_env env, napi_value callback);
  void DetachUv();
  int ArmUv();
  static void OnPolled(void* self);

  Engine engine_;
  napi_threadsafe_function ready_ = nullptr;
  Attachment* attachment_ = nullptr;
  UvLoop uv_;
  napi_ref callback_ = nullptr;
  napi_async_context context_ = nullptr;
  uint64_t rebuilds_ = 0;  // of the backend, when libuv last looked at its descriptor
  bool armed_ = false;     // driver uv: a batch is wanted
  bool polling_ = false;   // driver uv: libuv has the descriptor in its set
  bool hooked_ = false;
};

}  // namespace pollux
