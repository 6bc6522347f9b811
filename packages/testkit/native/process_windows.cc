// What a test asks of its own process: which sockets are open, how many handles there are, and
// handles that are no sockets, for watchHandle: events, processes, timers.
#include <stdlib.h>

#include "binding.h"
#include "socket_windows.h"
// After it.
#include <tlhelp32.h>
#include <winternl.h>

namespace testkit {
namespace {

// SystemExtendedHandleInformation of NtQuerySystemInformation; in no header of mingw-w64 10.
constexpr auto kAllHandles = static_cast<SYSTEM_INFORMATION_CLASS>(64);
struct HandleEntry {
  void* object;
  ULONG_PTR process;
  ULONG_PTR handle;
  ULONG access;
  USHORT creator;
  USHORT type;
  ULONG attributes;
  ULONG reserved;
};
struct HandleTable {
  ULONG_PTR count;
  ULONG_PTR reserved;
  HandleEntry entries[1];
};

HandleTable* AllHandles() {
  for (ULONG size = 1 << 18; size < 1u << 28; size *= 2) {
    auto* table = static_cast<HandleTable*>(malloc(size));
    if (table == nullptr) return nullptr;
    ULONG wanted;
    if (NtQuerySystemInformation(kAllHandles, table, size, &wanted) >= 0) return table;
    free(table);
  }
  return nullptr;
}

// Writes as many numbers as fit and returns how many sockets there are.
int64_t OpenFds(Ints out) {
  HandleTable* table = AllHandles();
  if (table == nullptr) return -ENOSYS;
  const ULONG_PTR self = GetCurrentProcessId();
  size_t count = 0;
  for (ULONG_PTR i = 0; i < table->count; i++) {
    const HandleEntry& entry = table->entries[i];
    int type;
    int size = sizeof(type);
    if (entry.process != self ||
        getsockopt(entry.handle, SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &size) != 0) {
      continue;
    }
    if (count < out.size) out.data[count] = static_cast<int32_t>(entry.handle);
    count++;
  }
  free(table);
  return static_cast<int64_t>(count);
}

// Not GetProcessHandleCount: Wine 8 says 0.
int64_t HandleCount() {
  HandleTable* table = AllHandles();
  if (table == nullptr) return -ENOSYS;
  const ULONG_PTR self = GetCurrentProcessId();
  int64_t count = 0;
  for (ULONG_PTR i = 0; i < table->count; i++) count += table->entries[i].process == self;
  free(table);
  return count;
}

int64_t NumberOf(HANDLE handle) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(handle)); }

// An event; `manual`: it stays set until it is reset.
int64_t CreateEventHandle(bool manual) {
  const HANDLE event = CreateEventW(nullptr, manual, FALSE, nullptr);
  return event == nullptr ? -ENOMEM : NumberOf(event);
}

// Signalled when the process has ended.
int64_t OpenProcessHandle(int pid) {
  const HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(pid));
  return process == nullptr ? -ESRCH : NumberOf(process);
}

// A waitable timer that is due after delay_ms, and then every period_ms (0: not again). It is reset
// by whoever waited for it.
int64_t CreateTimerHandle(int delay_ms, int period_ms) {
  const HANDLE timer = CreateWaitableTimerW(nullptr, FALSE, nullptr);
  if (timer == nullptr) return -ENOMEM;
  LARGE_INTEGER due;
  due.QuadPart = -10000ll * delay_ms;  // below 0: from now, in steps of 100 ns
  if (SetWaitableTimer(timer, &due, period_ms, nullptr, nullptr, FALSE)) return NumberOf(timer);
  CloseHandle(timer);
  return -EINVAL;
}

HANDLE HandleOf(int number) { return reinterpret_cast<HANDLE>(SocketOf(number)); }

int64_t SetEventHandle(int event) { return SetEvent(HandleOf(event)) ? 0 : -EBADF; }
int64_t ResetEventHandle(int event) { return ResetEvent(HandleOf(event)) ? 0 : -EBADF; }
int64_t CloseHandleOf(int handle) { return CloseHandle(HandleOf(handle)) ? 0 : -EBADF; }

// Of a thread that has ended, the system may know for a while.
bool Ended(DWORD id) {
  const HANDLE thread = OpenThread(SYNCHRONIZE, FALSE, id);
  if (thread == nullptr) return true;
  const bool ended = WaitForSingleObject(thread, 0) == WAIT_OBJECT_0;
  CloseHandle(thread);
  return ended;
}

int64_t ThreadCount() {
  const HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
  if (snapshot == INVALID_HANDLE_VALUE) return -EINVAL;
  int64_t count = 0;
  THREADENTRY32 entry;
  entry.dwSize = sizeof(entry);
  for (BOOL more = Thread32First(snapshot, &entry); more; more = Thread32Next(snapshot, &entry)) {
    if (entry.th32OwnerProcessID != GetCurrentProcessId()) continue;
    if (!Ended(entry.th32ThreadID)) count++;
  }
  CloseHandle(snapshot);
  return count;
}

TESTKIT_EXPORT(threadCount, ThreadCount);
TESTKIT_EXPORT(openFds, OpenFds);
TESTKIT_EXPORT(handleCount, HandleCount);
TESTKIT_EXPORT(createEvent, CreateEventHandle);
TESTKIT_EXPORT(setEvent, SetEventHandle);
TESTKIT_EXPORT(resetEvent, ResetEventHandle);
TESTKIT_EXPORT(openProcess, OpenProcessHandle);
TESTKIT_EXPORT(createTimer, CreateTimerHandle);
TESTKIT_EXPORT(closeHandle, CloseHandleOf);

}  // namespace
}  // namespace testkit
