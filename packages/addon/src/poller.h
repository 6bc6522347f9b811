// The Node-API class that serves every backend.
//
// It translates and nothing else: arguments to the engine's, results to a count
// or a negative errno. It is private to @pollux/core, whose TypeScript has
// validated every argument; it still refuses junk with -EINVAL, for nothing that
// JavaScript can pass may crash the process. The TypeScript face of it is
// `NativePoller` in packages/core/src/backend.ts.
#pragma once

#include "arguments.h"
#include "pollux/engine.h"
#include "pollux/uv_loop.h"

namespace pollux {

class Poller {
 public:
  // The class; null with an exception pending.
  static napi_value Define(napi_env env);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

 private:
  // Lives until the threadsafe function is gone, which may outlive the poller.
  struct Attachment {
    Poller* poller;
  };

  struct Method;
  static const Method kMethods[];
  static napi_value CallMethod(napi_env env, napi_callback_info info);
  static napi_value Construct(napi_env env, napi_callback_info info);
  static void Finalize(napi_env env, void* self, void* hint);
  explicit Poller(napi_env env) : env_(env) {}
  ~Poller();

  int Open(const Arguments& arguments);
  int Close(const Arguments& arguments);
  int Add(const Arguments& arguments);
  int Modify(const Arguments& arguments);
  int Delete(const Arguments& arguments);
  int CanWatch(const Arguments& arguments);
  int WatchHandle(const Arguments& arguments);
  int UnwatchHandle(const Arguments& arguments);
  int WatchProcess(const Arguments& arguments);
  int UnwatchProcess(const Arguments& arguments);
  int WatchVnode(const Arguments& arguments);
  int UnwatchVnode(const Arguments& arguments);
  int Wait(const Arguments& arguments);
  int Notify(const Arguments& arguments);
  int Attach(const Arguments& arguments);
  int Detach(const Arguments& arguments);
  int Arm(const Arguments& arguments);
  int Retime(const Arguments& arguments);
  int Harvest(const Arguments& arguments);
  int KeepAlive(const Arguments& arguments);
  int WakerId(const Arguments& arguments);
  int PollableFd(const Arguments& arguments);
  int ResolutionNs(const Arguments& arguments);
  int ReadCounters(const Arguments& arguments);

  bool Registration(const Arguments& arguments, Fd* fd, Ask* ask, uint32_t* key);
  void CloseAll();
  void DetachAll();
  void HookCleanup();
  void UnhookCleanup();
  static void OnReady(void* self);
  static void OnExit(void* self);
  static void CallJavaScript(napi_env env, napi_value callback, void* context, void* data);
  static void FinalizeAttachment(napi_env env, void* data, void* hint);
  int Attachable() const;
  int AttachThread(napi_env env, napi_value callback);
  int AttachUv(napi_env env, napi_value callback);
  void DetachUv();
  int ArmUv();
  static void OnPolled(void* self);

  napi_env env_;
  napi_ref wrapper_ = nullptr;  // weak but while attached
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
