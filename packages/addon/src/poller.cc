// The Node-API class: see poller.h.
#include "poller.h"

#include <errno.h>

#include <new>

#include "arguments.h"
#include "pollux/clock.h"
#include "report.h"

namespace pollux {

// One function of Node-API for all methods, which are its data: InstanceMethod would make one of
// 400 bytes for each.
struct Poller::Method {
  const char* name;
  int (Poller::*call)(const Arguments&);
};

const Poller::Method Poller::kMethods[] = {
    {"open", &Poller::Open},
    {"close", &Poller::Close},
    {"add", &Poller::Add},
    {"modify", &Poller::Modify},
    {"delete", &Poller::Delete},
    {"canWatch", &Poller::CanWatch},
    {"watchHandle", &Poller::WatchHandle},
    {"unwatchHandle", &Poller::UnwatchHandle},
    {"watchProcess", &Poller::WatchProcess},
    {"unwatchProcess", &Poller::UnwatchProcess},
    {"watchVnode", &Poller::WatchVnode},
    {"unwatchVnode", &Poller::UnwatchVnode},
    {"wait", &Poller::Wait},
    {"notify", &Poller::Notify},
    {"attach", &Poller::Attach},
    {"detach", &Poller::Detach},
    {"arm", &Poller::Arm},
    {"retime", &Poller::Retime},
    {"harvest", &Poller::Harvest},
    {"keepAlive", &Poller::KeepAlive},
    {"wakerId", &Poller::WakerId},
    {"pollableFd", &Poller::PollableFd},
    {"resolutionNs", &Poller::ResolutionNs},
    {"readCounters", &Poller::ReadCounters},
};

napi_value Poller::CallMethod(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  // V8 lets no receiver through that another class has made.
  void* self = nullptr;
  if (napi_unwrap(env, arguments.receiver(), &self) != napi_ok) return arguments.Result(-EINVAL);
  const auto* method = static_cast<const Method*>(arguments.data());
  return arguments.Result((static_cast<Poller*>(self)->*method->call)(arguments));
}

napi_value Poller::Define(napi_env env) {
  constexpr size_t count = sizeof kMethods / sizeof *kMethods;
  napi_property_descriptor properties[count] = {};
  for (size_t i = 0; i < count; i++) {
    properties[i].utf8name = kMethods[i].name;
    properties[i].method = &Poller::CallMethod;
    properties[i].data = const_cast<Method*>(&kMethods[i]);
  }
  napi_value made = nullptr;
  napi_define_class(env, "NativePoller", NAPI_AUTO_LENGTH, &Poller::Construct, nullptr, count,
                    properties, &made);
  return made;
}

// Without `new` the receiver is no object of ours, and cannot be wrapped.
napi_value Poller::Construct(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  napi_value target = nullptr;
  napi_get_new_target(env, info, &target);
  auto* poller = target == nullptr ? nullptr : new (std::nothrow) Poller(env);
  if (poller != nullptr && napi_wrap(env, arguments.receiver(), poller, &Poller::Finalize, nullptr,
                                     &poller->wrapper_) == napi_ok) {
    return arguments.receiver();
  }
  delete poller;
  napi_throw_type_error(env, nullptr, "NativePoller cannot be made");
  return nullptr;
}

// Its object was collected, or the environment ends.
void Poller::Finalize(napi_env env, void* self, void*) {
  auto* poller = static_cast<Poller*>(self);
  napi_ref wrapper = poller->wrapper_;
  // Before its reference: one that is attached lets go of that, and on Deno the end comes so.
  delete poller;
  napi_delete_reference(env, wrapper);
}

Poller::~Poller() { CloseAll(); }

void Poller::CloseAll() {
  DetachAll();
  UnhookCleanup();
  engine_.Close();
}

// The end of the environment (a worker's, or the process's): the thread stops
// before Node takes the threadsafe function down, and the descriptors close.
void Poller::OnExit(void* self) {
  auto* poller = static_cast<Poller*>(self);
  poller->hooked_ = false;
  poller->CloseAll();
}

void Poller::HookCleanup() {
  UnhookCleanup();
  hooked_ = napi_add_env_cleanup_hook(env_, &Poller::OnExit, this) == napi_ok;
}

void Poller::UnhookCleanup() {
  if (hooked_) napi_remove_env_cleanup_hook(env_, &Poller::OnExit, this);
  hooked_ = false;
}

int Poller::Open(const Arguments&) {
  const int result = engine_.Open();
  if (result == 0) HookCleanup();
  return result;
}

int Poller::Close(const Arguments&) {
  CloseAll();
  return 0;
}

// (fd, interest, key, mode, exclusive)
bool Poller::Registration(const Arguments& arguments, Fd* fd, Ask* ask, uint32_t* key) {
  uint32_t mode, exclusive;
  if (!engine_.open() || !arguments.Descriptor(0, fd) || !arguments.Uint32(1, &ask->interest) ||
      !arguments.Uint32(2, key) || !arguments.Uint32(3, &mode) ||
      !arguments.Uint32(4, &exclusive)) {
    return false;
  }
  if ((ask->interest & ~static_cast<uint32_t>(kInterestMask)) != 0 || mode > 2) return false;
  ask->mode = static_cast<Mode>(mode);
  ask->exclusive = exclusive != 0;
  return true;
}

int Poller::Add(const Arguments& arguments) {
  Fd fd;
  Ask ask;
  uint32_t key;
  if (!Registration(arguments, &fd, &ask, &key)) return -EINVAL;
  return engine_.Add(fd, ask, key);
}

int Poller::Modify(const Arguments& arguments) {
  Fd fd;
  Ask ask;
  uint32_t key;
  if (!Registration(arguments, &fd, &ask, &key)) return -EINVAL;
  return engine_.Modify(fd, ask, key);
}

int Poller::Delete(const Arguments& arguments) {
  Fd fd;
  if (!engine_.open() || !arguments.Descriptor(0, &fd)) return -EINVAL;
  return engine_.Delete(fd);
}

int Poller::CanWatch(const Arguments& arguments) {
  Fd fd;
  if (!engine_.open() || !arguments.Descriptor(0, &fd)) return -EINVAL;
  return engine_.CanWatch(fd);
}

// (timeoutMs, events)
int Poller::Wait(const Arguments& arguments) {
  double timeout;
  Record* records;
  uint32_t capacity;
  if (!engine_.open() || engine_.attached() || !arguments.Number(0, &timeout) ||
      !arguments.Records(1, &records, &capacity)) {
    return -EINVAL;
  }
  return engine_.Wait(TimeoutFromMs(timeout), records, capacity);
}

int Poller::Notify(const Arguments&) {
  if (!engine_.open()) return -EINVAL;
  engine_.Notify();
  return 0;
}

// (callback, driver): `callback` is called on the JavaScript thread, inside a
// callback scope of Node's, each time there is something to harvest. Driver 0 is
// the wait thread, 1 is Node's own libuv loop.
int Poller::Attach(const Arguments& arguments) {
  uint32_t driver = 0;
  if (!arguments.IsFunction(0) || !arguments.Uint32(1, &driver) || driver > 1) return -EINVAL;
  int result = Attachable();
  if (result < 0) return result;
  result = driver == 0 ? AttachThread(arguments.env(), arguments[0])
                       : AttachUv(arguments.env(), arguments[0]);
  if (result < 0) return result;
  // Cleanup hooks run last in, first out: ours must come before the one that the
  // threadsafe function has just added.
  HookCleanup();
  // A thread, or a loop, is running on us: not to be collected.
  napi_reference_ref(env_, wrapper_, nullptr);
  return 0;
}

// Asked again once Node has made the resource of an async context: it calls the
// `init` hooks of node:async_hooks, which may have closed or attached us.
int Poller::Attachable() const {
  if (!engine_.open()) return -EINVAL;
  return attachment_ != nullptr || uv_.running() ? -EALREADY : 0;
}

int Poller::AttachThread(napi_env env, napi_value callback) {
  auto* attachment = new (std::nothrow) Attachment{this};
  if (attachment == nullptr) return -ENOMEM;
  napi_value name;
  napi_threadsafe_function ready;
  if (napi_create_string_utf8(env, "POLLUX", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, callback, nullptr, name, 0, 1, attachment,
                                      &Poller::FinalizeAttachment, attachment,
                                      &Poller::CallJavaScript, &ready) != napi_ok) {
    delete attachment;
    return -ENOMEM;
  }
  napi_unref_threadsafe_function(env, ready);
  int result = Attachable();
  if (result < 0) {
    napi_release_threadsafe_function(ready, napi_tsfn_abort);
    return result;
  }
  attachment_ = attachment;
  ready_ = ready;
  result = engine_.Attach(&Poller::OnReady, this);
  if (result < 0) DetachAll();
  return result;
}

int Poller::AttachUv(napi_env env, napi_value callback) {
  if (engine_.backend()->PollableFd() == kNoFd) return -ENOSYS;
  napi_value name;
  napi_async_context context;
  if (napi_create_string_utf8(env, "POLLUX", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_async_init(env, nullptr, name, &context) != napi_ok) {
    return -ENOMEM;
  }
  int result = Attachable();
  if (result < 0) {
    napi_async_destroy(env, context);
    return result;
  }
  context_ = context;
  const bool kept = napi_create_reference(env, callback, 1, &callback_) == napi_ok;
  result = kept ? engine_.AttachPolled() : -ENOMEM;
  if (result == 0) {
    result = uv_.Start(env, engine_.backend()->PollableFd(), &Poller::OnPolled, this);
  }
  if (result < 0) {
    engine_.Detach();
    DetachUv();
    return result;
  }
  rebuilds_ = engine_.backend()->counters().rebuilds;
  uv_.KeepAlive(false);
  uv_.Pause();
  polling_ = armed_ = false;
  return 0;
}

int Poller::ArmUv() {
  int result = 0;
  if (!polling_) result = uv_.Resume();
  armed_ = polling_ = result == 0;
  return result;
}

void Poller::DetachUv() {
  uv_.Stop();
  if (callback_ != nullptr) napi_delete_reference(env_, callback_);
  if (context_ != nullptr) napi_async_destroy(env_, context_);
  callback_ = nullptr;
  context_ = nullptr;
}

// In libuv's poll phase, with no scope open. As long as the callback arms again
// the descriptor stays in the loop's set, at no cost.
void Poller::OnPolled(void* self) {
  auto* poller = static_cast<Poller*>(self);
  poller->armed_ = false;
  napi_env env = poller->env_;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  // The first is held by the scope: the callback may close us, and let go of us.
  napi_value self_value, callback, receiver;
  if (napi_get_reference_value(env, poller->wrapper_, &self_value) == napi_ok &&
      napi_get_reference_value(env, poller->callback_, &callback) == napi_ok &&
      napi_get_global(env, &receiver) == napi_ok) {
    ReportThrown(
        env, napi_make_callback(env, poller->context_, receiver, callback, 0, nullptr, nullptr));
  }
  if (poller->uv_.running() && !poller->armed_ && poller->polling_) {
    poller->uv_.Pause();
    poller->polling_ = false;
  }
  napi_close_handle_scope(env, scope);
}

int Poller::Detach(const Arguments&) {
  DetachAll();
  return 0;
}

void Poller::DetachAll() {
  const bool attached = engine_.open() && engine_.attached();
  if (attached) engine_.Detach();
  if (uv_.running()) DetachUv();
  if (attachment_ != nullptr) {
    attachment_->poller = nullptr;
    attachment_ = nullptr;
    napi_release_threadsafe_function(ready_, napi_tsfn_abort);
    ready_ = nullptr;
  }
  // Reset by Node when the environment ends: Unref would then be an error.
  if (attached && hooked_) napi_reference_unref(env_, wrapper_, nullptr);
}

void Poller::FinalizeAttachment(napi_env, void* data, void*) {
  delete static_cast<Attachment*>(data);
}

// On the wait thread. The queue has no bound and one entry at most, for the next
// batch is armed only after this one was harvested.
void Poller::OnReady(void* self) {
  napi_call_threadsafe_function(static_cast<Poller*>(self)->ready_, nullptr, napi_tsfn_nonblocking);
}

void Poller::CallJavaScript(napi_env env, napi_value callback, void* context, void*) {
  // First the environment: at its end Node may have freed the context already.
  if (env == nullptr || static_cast<Attachment*>(context)->poller == nullptr) return;
  CallAndReport(env, callback);
}

// (timeoutMs, capacity)
int Poller::Arm(const Arguments& arguments) {
  double timeout;
  uint32_t capacity;
  if (!engine_.open() || !engine_.attached() || !arguments.Number(0, &timeout) ||
      !arguments.Uint32(1, &capacity) || capacity == 0 || capacity > INT32_MAX / 16) {
    return -EINVAL;
  }
  if (uv_.running() && armed_) return -EALREADY;
  const int armed = engine_.Arm(TimeoutFromMs(timeout), capacity);
  if (armed < 0 || !uv_.running()) return armed;
  return ArmUv();
}

// (timeoutMs)
int Poller::Retime(const Arguments& arguments) {
  double timeout;
  if (!engine_.open() || !engine_.attached() || !arguments.Number(0, &timeout)) {
    return -EINVAL;
  }
  engine_.Retime(TimeoutFromMs(timeout));
  return 0;
}

// (events)
int Poller::Harvest(const Arguments& arguments) {
  Record* records;
  uint32_t capacity;
  if (!engine_.open() || !engine_.attached() || !arguments.Records(0, &records, &capacity)) {
    return -EINVAL;
  }
  // Not announced yet. To look now would take the deadline, or the notify, that libuv is to see.
  if (uv_.running() && armed_) return 0;
  const int written = engine_.Harvest(records, capacity);
  const uint64_t rebuilds = engine_.backend()->counters().rebuilds;
  if (uv_.running() && rebuilds != rebuilds_) {
    // Another open file behind the number. The next Arm resumes.
    rebuilds_ = rebuilds;
    uv_.Pause();
    polling_ = false;
  }
  return written;
}

// (keep): whether the attached poller keeps the event loop alive.
int Poller::KeepAlive(const Arguments& arguments) {
  const bool keep = arguments.IsTrue(0);
  if (uv_.running()) {
    uv_.KeepAlive(keep);
    return 0;
  }
  if (ready_ == nullptr) return -EINVAL;
  if (keep) {
    napi_ref_threadsafe_function(arguments.env(), ready_);
  } else {
    napi_unref_threadsafe_function(arguments.env(), ready_);
  }
  return 0;
}

int Poller::WakerId(const Arguments&) {
  return engine_.open() ? static_cast<int>(engine_.waker_id()) : 0;
}

// -1 where there is none.
int Poller::PollableFd(const Arguments&) {
  return static_cast<int>(engine_.open() ? engine_.backend()->PollableFd() : kNoFd);
}

int Poller::ResolutionNs(const Arguments&) {
  return engine_.open() ? static_cast<int>(engine_.backend()->ResolutionNs()) : 0;
}

// (Float64Array of three): stale events, rebuilds, wakeups.
int Poller::ReadCounters(const Arguments& arguments) {
  double* out;
  if (!engine_.open() || !arguments.Doubles(0, 3, &out)) return -EINVAL;
  const Counters& counters = engine_.backend()->counters();
  out[0] = static_cast<double>(counters.stale);
  out[1] = static_cast<double>(counters.rebuilds);
  out[2] = static_cast<double>(engine_.wakeups());
  return 0;
}

}  // namespace pollux
