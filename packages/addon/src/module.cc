// What a backend's addon exports: the class, the waker table, and the two calls
// that only native code can make for a reactor.
#include <errno.h>
#include <napi.h>

#include <new>

#include "arguments.h"
#include "poller.h"
#include "pollux/wakers.h"
#include "process.h"
#include "report.h"

namespace pollux {
namespace {

// (id): true if such a poller is open in this process.
napi_value Wake(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  uint32_t id;
  return arguments.Result(arguments.Uint32(0, &id) && NotifyWaker(id));
}

// (error): reports it as Node reports what nobody caught.
napi_value Report(napi_env env, napi_callback_info info) {
  napi_fatal_exception(env, Arguments(env, info)[0]);
  return nullptr;
}

// (function): calls it; what it throws is reported, never thrown on. True if it threw.
napi_value Call(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  return arguments.Result(arguments.IsFunction(0) && CallAndReport(env, arguments[0]));
}

Processes* ProcessesOf(const Arguments& arguments) {
  return static_cast<Processes*>(arguments.data());
}

// (pid): a descriptor or a negative errno.
napi_value PidfdOpen(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  uint32_t pid;
  if (!arguments.Uint32(0, &pid) || pid == 0 || pid > INT32_MAX) return arguments.Result(-EINVAL);
  return arguments.Result(ProcessesOf(arguments)->Open(static_cast<int>(pid)));
}

// (fd, reap)
napi_value PidfdStatus(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Fd fd;
  if (!arguments.Descriptor(0, &fd)) return arguments.Result(0);
  return arguments.Result(ProcessesOf(arguments)->Exit(fd, arguments.IsTrue(1)));
}

// (fd)
napi_value PidfdClose(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  Fd fd;
  if (!arguments.Descriptor(0, &fd)) return arguments.Result(-EBADF);
  return arguments.Result(ProcessesOf(arguments)->Close(fd));
}

void CloseProcesses(void* processes) { static_cast<Processes*>(processes)->CloseAll(); }

napi_property_descriptor Constant(const char* name, napi_value value) {
  return {name, nullptr, nullptr, nullptr, nullptr, value, napi_enumerable, nullptr};
}

napi_property_descriptor Function(const char* name, napi_callback call, void* data = nullptr) {
  return {name, nullptr, call, nullptr, nullptr, nullptr, napi_enumerable, data};
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  Backend* backend = CreateBackend();
  auto* processes = new (std::nothrow) Processes();
  if (backend == nullptr || processes == nullptr) {
    delete backend;
    delete processes;
    return exports;
  }
  env.SetInstanceData(processes);
  napi_add_env_cleanup_hook(env, CloseProcesses, processes);
  const napi_property_descriptor properties[] = {
      Constant("name", Napi::String::New(env, backend->Name())),
      Constant("capabilities", Napi::Number::New(env, backend->Capabilities())),
      Constant("timedOut", Napi::Number::New(env, -ETIMEDOUT)),
      Constant("NativePoller", Poller::Define(env)),
      Function("wake", Wake),
      Function("report", Report),
      Function("call", Call),
      Function("pidfdOpen", PidfdOpen, processes),
      Function("pidfdStatus", PidfdStatus, processes),
      Function("pidfdClose", PidfdClose, processes),
  };
  delete backend;
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}

}  // namespace
}  // namespace pollux

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return pollux::Init(env, exports); }
NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
