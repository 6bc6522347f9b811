// See handle_watch.h.
#include "handle_watch.h"

#include <errno.h>

#include <new>

namespace pollux {
namespace {

// On a thread of the pool.
void CALLBACK OnSignalled(void* argument, BOOLEAN) {
  auto* watch = static_cast<HandleWatch*>(argument);
  InterlockedExchange(&watch->posted, 1);
  PostQueuedCompletionStatus(watch->port, 0, watch->packet_key,
                             reinterpret_cast<OVERLAPPED*>(argument));
}

// Returns when OnSignalled is not running and will not run.
void EndWait(HandleWatch* watch) {
  if (watch->wait != nullptr) UnregisterWaitEx(watch->wait, INVALID_HANDLE_VALUE);
  watch->wait = nullptr;
}

int BeginWait(HandleWatch* watch) {
  watch->posted = 0;
  // Once: an object that stays signalled would keep the pool's thread busy.
  if (RegisterWaitForSingleObject(&watch->wait, watch->handle, OnSignalled, watch, INFINITE,
                                  WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD)) {
    watch->pending = true;
    return 0;
  }
  watch->wait = nullptr;
  return GetLastError() == ERROR_NOT_ENOUGH_MEMORY ? -ENOMEM : -EBADF;
}

// The pool learns only later what cannot be waited for, and tells nobody.
bool CanBeWaitedFor(HANDLE handle) {
  DWORD flags;
  return handle != nullptr && handle != INVALID_HANDLE_VALUE &&
         GetHandleInformation(handle, &flags);
}

}  // namespace

HandleWatch* HandleWatches::Find(HANDLE handle) {
  for (HandleWatch* watch = first_; watch != nullptr; watch = watch->next) {
    if (watch->handle == handle && !watch->forgotten) return watch;
  }
  return nullptr;
}

int HandleWatches::Watch(HANDLE port, ULONG_PTR packet_key, HANDLE handle, uint32_t key) {
  if (!CanBeWaitedFor(handle)) return -EBADF;
  HandleWatch* watch = Find(handle);
  if (watch != nullptr) {
    if (watch->pending) return -EEXIST;
    EndWait(watch);
    const int begun = BeginWait(watch);
    if (begun == 0) watch->key = key;
    return begun;
  }
  watch = new (std::nothrow) HandleWatch{handle, port, packet_key};
  if (watch == nullptr) return -ENOMEM;
  watch->key = key;
  const int begun = BeginWait(watch);
  if (begun < 0) {
    delete watch;
    return begun;
  }
  watch->next = first_;
  first_ = watch;
  return 0;
}

void HandleWatches::Forget(HandleWatch* watch) {
  EndWait(watch);
  watch->forgotten = true;
  // Kept while its packet is in the port.
  if (!watch->pending || watch->posted == 0) Drop(watch);
}

bool HandleWatches::Came(HandleWatch* watch) {
  watch->pending = false;
  if (!watch->forgotten) return true;
  Drop(watch);
  return false;
}

void HandleWatches::Drop(HandleWatch* watch) {
  HandleWatch** link = &first_;
  while (*link != watch) link = &(*link)->next;
  *link = watch->next;
  delete watch;
}

void HandleWatches::Clear() {
  while (first_ != nullptr) {
    HandleWatch* watch = first_;
    first_ = watch->next;
    EndWait(watch);
    delete watch;
  }
}

}  // namespace pollux
