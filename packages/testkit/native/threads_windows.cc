// Things that happen to a JavaScript thread while it is blocked in a wait: bytes that arrive, a
// socket that is closed. There are no signals that could interrupt it.
#include <atomic>

#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "socket_windows.h"

namespace testkit {
namespace {

struct Later {
  DWORD delay_ms;
  int fd;
  uint8_t* bytes;  // null: close
  size_t size;
};

std::atomic<int> pending{0};

DWORD WINAPI DoLater(void* argument) {
  Later* later = static_cast<Later*>(argument);
  Sleep(later->delay_ms);
  if (later->bytes == nullptr) {
    closesocket(SocketOf(later->fd));
  } else {
    // Nobody is there to be told of a failure; the test will miss its bytes.
    send(SocketOf(later->fd), reinterpret_cast<const char*>(later->bytes),
         static_cast<int>(later->size), 0);
  }
  free(later->bytes);
  free(later);
  pending.fetch_sub(1);
  return 0;
}

// The addon must not be unloaded under the thread.
void Pin() {
  HMODULE self;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                     reinterpret_cast<LPCWSTR>(&DoLater), &self);
}

int64_t StartLater(int fd, uint8_t* bytes, size_t size, double delay_ms) {
  Later* later = static_cast<Later*>(malloc(sizeof(Later)));
  if (later == nullptr) return -ENOMEM;
  *later = {static_cast<DWORD>(delay_ms), fd, bytes, size};
  Pin();
  pending.fetch_add(1);
  const HANDLE thread = CreateThread(nullptr, 0, DoLater, later, 0, nullptr);
  if (thread != nullptr) {
    CloseHandle(thread);
    return 0;
  }
  pending.fetch_sub(1);
  free(later);
  return -EAGAIN;
}

bool IsDelay(double ms) { return ms >= 0 && ms <= 3.6e6; }

int64_t WriteLater(int fd, Bytes bytes, double delay_ms) {
  if (!IsDelay(delay_ms)) return -EINVAL;
  uint8_t* copy = static_cast<uint8_t*>(malloc(bytes.size + 1));
  if (copy == nullptr) return -ENOMEM;
  if (bytes.size > 0) memcpy(copy, bytes.data, bytes.size);
  const int64_t started = StartLater(fd, copy, bytes.size, delay_ms);
  if (started < 0) free(copy);
  return started;
}

int64_t CloseLater(int fd, double delay_ms) {
  return IsDelay(delay_ms) ? StartLater(fd, nullptr, 0, delay_ms) : -EINVAL;
}

int64_t PendingLater() { return pending.load(); }

TESTKIT_EXPORT(writeLater, WriteLater);
TESTKIT_EXPORT(closeLater, CloseLater);
TESTKIT_EXPORT(pendingLater, PendingLater);

}  // namespace
}  // namespace testkit
