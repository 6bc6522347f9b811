// The Node-API class: see poller.h.
#include "poller.h"

#include <errno.h>

#include <new>

#include "arguments.h"
#include "pollux/clock.h"
#include "report.h"

namespace pollux {

Napi::Function Poller::Define(Napi::Env env) {
  return DefineClass(env, "NativePoller",
                     {
                         InstanceMethod<&Poller::Open>("open"),
                         InstanceMethod<&Poller::Close>("close"),
                         InstanceMethod<&Poller::Add>("add"),
                         InstanceMethod<&Poller::Modify>("modify"),
                         InstanceMethod<&Poller::Delete>("delete"),
                         InstanceMethod<&Poller::CanWatch>("canWatch"),
                         InstanceMethod<&Poller::WatchHandle>("watchHandle"),
                         InstanceMethod<&Poller::UnwatchHandle>("unwatchHandle"),
                         InstanceMethod<&Poller::WatchProcess>("watchProcess"),
                         InstanceMethod<&Poller::UnwatchProcess>("unwatchProcess"),
                         InstanceMethod<&Poller::WatchVnode>("watchVnode"),
                         InstanceMethod<&Poller::UnwatchVnode>("unwatchVnode"),
                         InstanceMethod<&Poller::Wait>("wait"),
                         InstanceMethod<&Poller::Notify>("notify"),
                         InstanceMethod<&Poller::Attach>("attach"),
                         InstanceMethod<&Poller::Detach>("detach"),
                         InstanceMethod<&Poller::Arm>("arm"),
                         InstanceMethod<&Poller::Retime>("retime"),
                         InstanceMethod<&Poller::Harvest>("harvest"),
                         InstanceMethod<&Poller::KeepAlive>("keepAlive"),
                         InstanceMethod<&Poller::WakerId>("wakerId"),
                         InstanceMethod<&Poller::PollableFd>("pollableFd"),
                         InstanceMethod<&Poller::ResolutionMs>("resolutionMs"),
                         InstanceMethod<&Poller::ReadCounters>("readCounters"),
                     });
}

Napi::Value Poller::Result(const Napi::CallbackInfo& info, int result) {
  napi_value value = nullptr;
  napi_create_int32(info.Env(), result, &value);
  return Napi::Value(info.Env(), value);
}

Poller::Poller(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Poller>(info) {}

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
  hooked_ = napi_add_env_cleanup_hook(Env(), &Poller::OnExit, this) == napi_ok;
}

void Poller::UnhookCleanup() {
  if (hooked_) napi_remove_env_cleanup_hook(Env(), &Poller::OnExit, this);
  hooked_ = false;
}

Napi::Value Poller::Open(const Napi::CallbackInfo& info) {
  const int result = engine_.Open();
  if (result == 0) HookCleanup();
  return Result(info, result);
}

Napi::Value Poller::Close(const Napi::CallbackInfo& info) {
  CloseAll();
  return Result(info, 0);
}

// (fd, interest, key, mode, exclusive)
bool Poller::Registration(const Napi::CallbackInfo& info, Fd* fd, Ask* ask, uint32_t* key) {
  uint32_t mode, exclusive;
  if (!engine_.open() || !ReadFd(info[0], fd) || !ReadUint32(info[1], &ask->interest) ||
      !ReadUint32(info[2], key) || !ReadUint32(info[3], &mode) ||
      !ReadUint32(info[4], &exclusive)) {
    return false;
  }
  if ((ask->interest & ~static_cast<uint32_t>(kInterestMask)) != 0 || mode > 2) return false;
  ask->mode = static_cast<Mode>(mode);
  ask->exclusive = exclusive != 0;
  return true;
}

Napi::Value Poller::Add(const Napi::CallbackInfo& info) {
  Fd fd;
  Ask ask;
  uint32_t key;
  if (!Registration(info, &fd, &ask, &key)) return Result(info, -EINVAL);
  return Result(info, engine_.Add(fd, ask, key));
}

Napi::Value Poller::Modify(const Napi::CallbackInfo& info) {
  Fd fd;
  Ask ask;
  uint32_t key;
  if (!Registration(info, &fd, &ask, &key)) return Result(info, -EINVAL);
  return Result(info, engine_.Modify(fd, ask, key));
}

Napi::Value Poller::Delete(const Napi::CallbackInfo& info) {
  Fd fd;
  if (!engine_.open() || !ReadFd(info[0], &fd)) return Result(info, -EINVAL);
  return Result(info, engine_.Delete(fd));
}

Napi::Value Poller::CanWatch(const Napi::CallbackInfo& info) {
  Fd fd;
  if (!engine_.open() || !ReadFd(info[0], &fd)) return Result(info, -EINVAL);
  return Result(info, engine_.CanWatch(fd));
}

// (timeoutMs, events)
Napi::Value Poller::Wait(const Napi::CallbackInfo& info) {
  double timeout;
  Record* records;
  uint32_t capacity;
  if (!engine_.open() || engine_.attached() || !ReadNumber(info[0], &timeout) ||
      !ReadRecords(info[1], &records, &capacity)) {
    return Result(info, -EINVAL);
  }
  return Result(info, engine_.Wait(TimeoutFromMs(timeout), records, capacity));
}

Napi::Value Poller::Notify(const Napi::CallbackInfo& info) {
  if (!engine_.open()) return Result(info, -EINVAL);
  engine_.Notify();
  return Result(info, 0);
}

// (callback, driver): `callback` is called on the JavaScript thread, inside a
// callback scope of Node's, each time there is something to harvest. Driver 0 is
// the wait thread, 1 is Node's own libuv loop.
Napi::Value Poller::Attach(const Napi::CallbackInfo& info) {
  uint32_t driver = 0;
  if (!engine_.open() || !info[0].IsFunction() || !ReadUint32(info[1], &driver) || driver > 1) {
    return Result(info, -EINVAL);
  }
  if (attachment_ != nullptr || uv_.running()) return Result(info, -EALREADY);
  const int result =
      driver == 0 ? AttachThread(info.Env(), info[0]) : AttachUv(info.Env(), info[0]);
  if (result < 0) return Result(info, result);
  // Cleanup hooks run last in, first out: ours must come before the one that the
  // threadsafe function has just added.
  HookCleanup();
  Ref();  // a thread, or a loop, is running on us: not to be collected
  return Result(info, 0);
}

int Poller::AttachThread(napi_env env, napi_value callback) {
  auto* attachment = new (std::nothrow) Attachment{this};
  if (attachment == nullptr) return -ENOMEM;
  napi_value name;
  if (napi_create_string_utf8(env, "POLLUX", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, callback, nullptr, name, 0, 1, attachment,
                                      &Poller::FinalizeAttachment, attachment,
                                      &Poller::CallJavaScript, &ready_) != napi_ok) {
    delete attachment;
    return -ENOMEM;
  }
  attachment_ = attachment;
  napi_unref_threadsafe_function(env, ready_);
  const int result = engine_.Attach(&Poller::OnReady, this);
  if (result < 0) DetachAll();
  return result;
}

int Poller::AttachUv(napi_env env, napi_value callback) {
  const Fd fd = engine_.backend()->PollableFd();
  if (fd == kNoFd) return -ENOSYS;
  napi_value name;
  if (napi_create_string_utf8(env, "POLLUX", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_reference(env, callback, 1, &callback_) != napi_ok ||
      napi_async_init(env, nullptr, name, &context_) != napi_ok) {
    DetachUv();
    return -ENOMEM;
  }
  int result = engine_.AttachPolled();
  if (result == 0) result = uv_.Start(env, fd, &Poller::OnPolled, this);
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
  if (callback_ != nullptr) napi_delete_reference(Env(), callback_);
  if (context_ != nullptr) napi_async_destroy(Env(), context_);
  callback_ = nullptr;
  context_ = nullptr;
}

// In libuv's poll phase, with no scope open. As long as the callback arms again
// the descriptor stays in the loop's set, at no cost.
void Poller::OnPolled(void* self) {
  auto* poller = static_cast<Poller*>(self);
  poller->armed_ = false;
  napi_env env = poller->Env();
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  poller->Value();  // held by the scope: the callback may close us, and let go of us
  napi_value callback, receiver;
  if (napi_get_reference_value(env, poller->callback_, &callback) == napi_ok &&
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

Napi::Value Poller::Detach(const Napi::CallbackInfo& info) {
  DetachAll();
  return Result(info, 0);
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
  if (attached && hooked_) Unref();
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
Napi::Value Poller::Arm(const Napi::CallbackInfo& info) {
  double timeout;
  uint32_t capacity;
  if (!engine_.open() || !engine_.attached() || !ReadNumber(info[0], &timeout) ||
      !ReadUint32(info[1], &capacity) || capacity == 0 || capacity > INT32_MAX / 16) {
    return Result(info, -EINVAL);
  }
  if (uv_.running() && armed_) return Result(info, -EALREADY);
  const int armed = engine_.Arm(TimeoutFromMs(timeout), capacity);
  if (armed < 0 || !uv_.running()) return Result(info, armed);
  return Result(info, ArmUv());
}

// (timeoutMs)
Napi::Value Poller::Retime(const Napi::CallbackInfo& info) {
  double timeout;
  if (!engine_.open() || !engine_.attached() || !ReadNumber(info[0], &timeout)) {
    return Result(info, -EINVAL);
  }
  engine_.Retime(TimeoutFromMs(timeout));
  return Result(info, 0);
}

// (events)
Napi::Value Poller::Harvest(const Napi::CallbackInfo& info) {
  Record* records;
  uint32_t capacity;
  if (!engine_.open() || !engine_.attached() || !ReadRecords(info[0], &records, &capacity)) {
    return Result(info, -EINVAL);
  }
  // Not announced yet. To look now would take the deadline, or the notify, that libuv is to see.
  if (uv_.running() && armed_) return Result(info, 0);
  const int written = engine_.Harvest(records, capacity);
  const uint64_t rebuilds = engine_.backend()->counters().rebuilds;
  if (uv_.running() && rebuilds != rebuilds_) {
    // Another open file behind the number. The next Arm resumes.
    rebuilds_ = rebuilds;
    uv_.Pause();
    polling_ = false;
  }
  return Result(info, written);
}

// (keep): whether the attached poller keeps the event loop alive.
Napi::Value Poller::KeepAlive(const Napi::CallbackInfo& info) {
  const bool keep = info[0].ToBoolean().Value();
  if (uv_.running()) {
    uv_.KeepAlive(keep);
    return Result(info, 0);
  }
  if (ready_ == nullptr) return Result(info, -EINVAL);
  if (keep) {
    napi_ref_threadsafe_function(info.Env(), ready_);
  } else {
    napi_unref_threadsafe_function(info.Env(), ready_);
  }
  return Result(info, 0);
}

Napi::Value Poller::WakerId(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), engine_.open() ? engine_.waker_id() : 0);
}

// -1 where there is none.
Napi::Value Poller::PollableFd(const Napi::CallbackInfo& info) {
  const Fd fd = engine_.open() ? engine_.backend()->PollableFd() : kNoFd;
  return Napi::Number::New(info.Env(), fd == kNoFd ? -1.0 : static_cast<double>(fd));
}

Napi::Value Poller::ResolutionMs(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(),
                           engine_.open() ? engine_.backend()->ResolutionNs() / 1e6 : 0);
}

// (Float64Array of three): stale events, rebuilds, wakeups.
Napi::Value Poller::ReadCounters(const Napi::CallbackInfo& info) {
  napi_typedarray_type type;
  size_t length;
  void* data;
  if (!engine_.open() ||
      napi_get_typedarray_info(info.Env(), info[0], &type, &length, &data, nullptr, nullptr) !=
          napi_ok ||
      type != napi_float64_array || data == nullptr || length < 3) {
    return Result(info, -EINVAL);
  }
  auto* out = static_cast<double*>(data);
  const Counters& counters = engine_.backend()->counters();
  out[0] = static_cast<double>(counters.stale);
  out[1] = static_cast<double>(counters.rebuilds);
  out[2] = static_cast<double>(engine_.wakeups());
  return Result(info, 0);
}

}  // namespace pollux
