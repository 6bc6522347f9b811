// What a backend's addon exports: the class, the waker table, and the two calls
// that only native code can make for a reactor.
#include <errno.h>
#include <napi.h>

#include "arguments.h"
#include "poller.h"
#include "pollux/wakers.h"
#include "process.h"
#include "report.h"

namespace pollux {
namespace {

// (id): true if such a poller is open in this process.
Napi::Value Wake(const Napi::CallbackInfo& info) {
  uint32_t id;
  return Napi::Boolean::New(info.Env(), ReadUint32(info[0], &id) && NotifyWaker(id));
}

// (error): reports it as Node reports what nobody caught.
void Report(const Napi::CallbackInfo& info) { napi_fatal_exception(info.Env(), info[0]); }

// (function): calls it; what it throws is reported, never thrown on. True if it threw.
Napi::Value Call(const Napi::CallbackInfo& info) {
  const bool threw = info[0].IsFunction() && CallAndReport(info.Env(), info[0]);
  return Napi::Boolean::New(info.Env(), threw);
}

// (pid): a descriptor or a negative errno.
Napi::Value PidfdOpen(const Napi::CallbackInfo& info) {
  uint32_t pid;
  const bool valid = ReadUint32(info[0], &pid) && pid > 0 && pid <= INT32_MAX;
  auto* processes = info.Env().GetInstanceData<Processes>();
  return Napi::Number::New(info.Env(), valid ? processes->Open(static_cast<int>(pid)) : -EINVAL);
}

// (fd, reap)
Napi::Value PidfdStatus(const Napi::CallbackInfo& info) {
  Fd fd;
  if (!ReadFd(info[0], &fd)) return Napi::Number::New(info.Env(), 0);
  const auto* processes = info.Env().GetInstanceData<Processes>();
  return Napi::Number::New(info.Env(), processes->Exit(fd, info[1].ToBoolean().Value()));
}

// (fd)
Napi::Value PidfdClose(const Napi::CallbackInfo& info) {
  Fd fd;
  if (!ReadFd(info[0], &fd)) return Napi::Number::New(info.Env(), -EBADF);
  return Napi::Number::New(info.Env(), info.Env().GetInstanceData<Processes>()->Close(fd));
}

void CloseProcesses(void* processes) { static_cast<Processes*>(processes)->CloseAll(); }

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  Backend* backend = CreateBackend();
  if (backend == nullptr) return exports;
  exports.Set("name", Napi::String::New(env, backend->Name()));
  exports.Set("capabilities", Napi::Number::New(env, backend->Capabilities()));
  delete backend;
  exports.Set("timedOut", Napi::Number::New(env, -ETIMEDOUT));
  exports.Set("NativePoller", Poller::Define(env));
  exports.Set("wake", Napi::Function::New<Wake>(env, "wake"));
  exports.Set("report", Napi::Function::New<Report>(env, "report"));
  exports.Set("call", Napi::Function::New<Call>(env, "call"));
  auto* processes = new Processes();
  env.SetInstanceData(processes);
  napi_add_env_cleanup_hook(env, CloseProcesses, processes);
  exports.Set("pidfdOpen", Napi::Function::New<PidfdOpen>(env, "pidfdOpen"));
  exports.Set("pidfdStatus", Napi::Function::New<PidfdStatus>(env, "pidfdStatus"));
  exports.Set("pidfdClose", Napi::Function::New<PidfdClose>(env, "pidfdClose"));
  return exports;
}

}  // namespace
}  // namespace pollux

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return pollux::Init(env, exports); }
NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
