// uv_poll_t by dlsym: see uv_loop.h.
#include "pollux/uv_loop.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

namespace pollux {
namespace {

// What of uv.h is used here, the same in libuv 1.0 to 1.52; handles are opaque.
constexpr int kUvPoll = 8;      // enum uv_handle_type
constexpr int kUvReadable = 1;  // enum uv_poll_event

struct Uv {
  size_t (*handle_size)(int type);
  int (*poll_init)(void* loop, void* handle, int fd);
  int (*poll_start)(void* handle, int events, void (*callback)(void*, int, int));
  int (*poll_stop)(void* handle);
  void (*close)(void* handle, void (*callback)(void*));
  void (*ref)(void* handle);
  void (*unref)(void* handle);
  int (*backend_fd)(const void* loop);
};

template <typename Function>
bool Find(const char* name, Function* out) {
  *out = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
  return *out != nullptr;
}

bool FindAll(Uv* uv) {
  return Find("uv_handle_size", &uv->handle_size) && Find("uv_poll_init", &uv->poll_init) &&
         Find("uv_poll_start", &uv->poll_start) && Find("uv_poll_stop", &uv->poll_stop) &&
         Find("uv_close", &uv->close) && Find("uv_ref", &uv->ref) && Find("uv_unref", &uv->unref) &&
         Find("uv_backend_fd", &uv->backend_fd);
}

// 0, or what the loop's epoll would refuse the descriptor with.
int Refusal(int loop, Fd fd) {
#ifdef __linux__
  epoll_event event{};
  if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) != 0) return errno == EEXIST ? 0 : -errno;
  epoll_ctl(loop, EPOLL_CTL_DEL, fd, &event);
#else
  (void)loop, (void)fd;
#endif
  return 0;
}

// `data` is the first member of every handle, and public.
void*& DataOf(void* handle) { return *static_cast<void**>(handle); }

}  // namespace

// Outlives the UvLoop: libuv owns the handle until its close callback.
struct UvLoop::Watch {
  Uv uv;
  void* loop;
  Fd fd;
  void* handle;
  Ready ready;
  void* argument;
  napi_async_cleanup_hook_handle hook;
  bool closing;
};

int UvLoop::Start(napi_env env, Fd fd, Ready ready, void* argument) {
  Uv uv;
  void* loop = nullptr;
  if (!FindAll(&uv) ||
      napi_get_uv_event_loop(env, reinterpret_cast<struct uv_loop_s**>(&loop)) != napi_ok) {
    return -ENOSYS;
  }
  auto* watch = static_cast<Watch*>(malloc(sizeof(Watch)));
  void* handle = malloc(uv.handle_size(kUvPoll));
  if (watch == nullptr || handle == nullptr) {
    free(watch);
    free(handle);
    return -ENOMEM;
  }
  *watch = Watch{uv, loop, fd, handle, ready, argument, nullptr, false};
  const int made = uv.poll_init(loop, handle, fd);
  if (made < 0) {
    free(handle);
    free(watch);
    return made;
  }
  DataOf(handle) = watch;
  watch_ = watch;
  const int started = uv.poll_start(handle, kUvReadable, &UvLoop::OnPoll);
  // The loop of an ending environment waits for the handle to close.
  if (started < 0 ||
      napi_add_async_cleanup_hook(env, &UvLoop::OnExit, watch, &watch->hook) != napi_ok) {
    Stop();
    return started < 0 ? started : -ENOMEM;
  }
  return 0;
}

// uv_poll_stop takes the descriptor out of the loop's set at once, and a start
// while it is in does nothing.
void UvLoop::Pause() { watch_->uv.poll_stop(watch_->handle); }

// libuv takes the descriptor later, in its own turn, and aborts where the kernel refuses it: an
// epoll that came to hold the loop's own meanwhile (ELOOP), or a number that was closed. So ask
// first.
int UvLoop::Resume() {
  const int refused = Refusal(watch_->uv.backend_fd(watch_->loop), watch_->fd);
  if (refused < 0) return refused;
  return watch_->uv.poll_start(watch_->handle, kUvReadable, &UvLoop::OnPoll);
}

void UvLoop::KeepAlive(bool keep) { (keep ? watch_->uv.ref : watch_->uv.unref)(watch_->handle); }

void UvLoop::Stop() {
  Watch* watch = watch_;
  if (watch == nullptr) return;
  watch_ = nullptr;
  watch->ready = nullptr;
  if (watch->closing) return;
  watch->closing = true;
  watch->uv.close(watch->handle, &UvLoop::OnClosed);
}

void UvLoop::OnPoll(void* handle, int, int) {
  // An error status is not told apart: the harvest meets the same error.
  auto* watch = static_cast<Watch*>(DataOf(handle));
  if (watch->ready != nullptr) watch->ready(watch->argument);
}

void UvLoop::OnClosed(void* handle) {
  auto* watch = static_cast<Watch*>(DataOf(handle));
  if (watch->hook != nullptr) napi_remove_async_cleanup_hook(watch->hook);
  free(handle);
  free(watch);
}

void UvLoop::OnExit(napi_async_cleanup_hook_handle, void* argument) {
  auto* watch = static_cast<Watch*>(argument);
  watch->ready = nullptr;
  if (watch->closing) return;
  watch->closing = true;
  watch->uv.close(watch->handle, &UvLoop::OnClosed);
}

}  // namespace pollux
