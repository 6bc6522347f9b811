// See afd.h.
#include "afd.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "pollux/winsock_error.h"

// Exported by ntdll.dll since Windows Vista, and in no header.
extern "C" NTSTATUS NTAPI NtCancelIoFileEx(HANDLE file, IO_STATUS_BLOCK* request,
                                           IO_STATUS_BLOCK* status);

#ifndef SIO_BSP_HANDLE_POLL
#define SIO_BSP_HANDLE_POLL _WSAIOR(IOC_WS2, 29)
#endif
#ifndef SIO_BASE_HANDLE
#define SIO_BASE_HANDLE _WSAIOR(IOC_WS2, 34)
#endif

namespace pollux {
namespace {

constexpr ULONG kIoctlAfdPoll = 0x00012024;

// Unsigned, as ntstatus.h writes them.
constexpr ULONG kInvalidHandle = 0xC0000008;
constexpr ULONG kInvalidParameter = 0xC000000D;
constexpr ULONG kNoMemory = 0xC0000017;
constexpr ULONG kAccessDenied = 0xC0000022;
constexpr ULONG kTypeMismatch = 0xC0000024;
constexpr ULONG kQuotaExceeded = 0xC0000044;
constexpr ULONG kInsufficientResources = 0xC000009A;
constexpr ULONG kWorkingSetQuota = 0xC00000A1;
constexpr ULONG kTooManyOpenedFiles = 0xC000011F;
constexpr ULONG kPagefileQuota = 0xC000012C;
constexpr ULONG kCommitmentLimit = 0xC000012D;

size_t InfoSize(uint32_t handles) {
  return offsetof(AfdPollInfo, handles) + handles * sizeof(AfdPollHandle);
}

// \Device\Afd and any name below it, which only shows in debuggers. POLLUX_AFD_DEVICE names another
// one, for tests of what happens where it cannot be opened.
uint16_t DeviceName(wchar_t* name, DWORD room) {
  static constexpr wchar_t kDefault[] = L"\\Device\\Afd\\Pollux";
  const DWORD length = GetEnvironmentVariableW(L"POLLUX_AFD_DEVICE", name, room);
  if (length > 0 && length < room) return static_cast<uint16_t>(length);
  memcpy(name, kDefault, sizeof kDefault);
  return sizeof kDefault / sizeof *kDefault - 1;
}

int Ioctl(SOCKET socket, DWORD code, SOCKET* out) {
  DWORD size;
  const int result = WSAIoctl(socket, code, nullptr, 0, out, sizeof *out, &size, nullptr, nullptr);
  return result == 0 ? 0 : LastWinsockError();
}

}  // namespace

int FromNtStatus(NTSTATUS status) {
  switch (static_cast<ULONG>(status)) {
    case kInvalidHandle:
      return -EBADF;
    case kTypeMismatch:
    case kInvalidParameter:
      return -ENOTSOCK;
    case kNoMemory:
    case kQuotaExceeded:
    case kInsufficientResources:
    case kWorkingSetQuota:
    case kPagefileQuota:
    case kCommitmentLimit:
      return -ENOMEM;
    case kTooManyOpenedFiles:
      return -EMFILE;
    case kAccessDenied:
      return -EPERM;
    default:
      return -EINVAL;
  }
}

int BaseSocket(SOCKET socket, SOCKET* base) {
  if (socket == 0 || (socket & 3) != 0) return -EBADF;
  SOCKET from = socket;
  // Each layer is asked for the one beneath; none is as deep as this.
  for (int layers = 0; layers < 16; layers++) {
    const int result = Ioctl(from, SIO_BASE_HANDLE, base);
    if (result == 0) return 0;
    if (result == -ENOTSOCK) return NoSocket(socket);
    // Some providers (Komodia's) intercept SIO_BASE_HANDLE against the rules; this they let
    // through.
    SOCKET beneath;
    if (Ioctl(from, SIO_BSP_HANDLE_POLL, &beneath) != 0 || beneath == from) return result;
    from = beneath;
  }
  return -EINVAL;
}

int OpenAfd(HANDLE* device) {
  wchar_t name[64];
  UNICODE_STRING text;
  text.Length = static_cast<USHORT>(DeviceName(name, 64) * sizeof *name);
  text.MaximumLength = text.Length;
  text.Buffer = name;
  OBJECT_ATTRIBUTES attributes{};
  attributes.Length = sizeof attributes;
  attributes.ObjectName = &text;
  IO_STATUS_BLOCK status;
  // Not inheritable, and overlapped: no FILE_SYNCHRONOUS_IO.
  const NTSTATUS result =
      NtCreateFile(device, SYNCHRONIZE, &attributes, &status, nullptr, 0,
                   FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, 0, nullptr, 0);
  if (result >= 0) return 0;
  *device = nullptr;
  const int error = FromNtStatus(result);
  // No such device, or none that can be opened: not to be had here.
  return error == -ENOMEM || error == -EMFILE || error == -EPERM ? error : -ENOSYS;
}

int StartPoll(HANDLE device, AfdPollInfo* info, IO_STATUS_BLOCK* status, void* context, SOCKET base,
              ULONG events) {
  info->timeout.QuadPart = INT64_MAX;
  info->handle_count = 1;
  info->exclusive = FALSE;
  info->handles[0] = AfdPollHandle{reinterpret_cast<HANDLE>(base), events, 0};
  status->Status = kStatusPending;
  const DWORD size = static_cast<DWORD>(InfoSize(1));
  const NTSTATUS result = NtDeviceIoControlFile(device, nullptr, nullptr, context, status,
                                                kIoctlAfdPoll, info, size, info, size);
  // What ends at once sends its packet too.
  return result >= 0 ? 0 : FromNtStatus(result);
}

void CancelPoll(HANDLE device, IO_STATUS_BLOCK* status) {
  if (*const_cast<volatile NTSTATUS*>(&status->Status) != kStatusPending) return;
  IO_STATUS_BLOCK ignored;
  NtCancelIoFileEx(device, status, &ignored);
}

int AfdGlancer::Open() {
  const int opened = OpenAfd(&device_);
  if (opened < 0) return opened;
  done_ = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  info_ = static_cast<AfdPollInfo*>(malloc(InfoSize(kMost)));
  if (done_ != nullptr && info_ != nullptr) return 0;
  Close();
  return -ENOMEM;
}

void AfdGlancer::Close() {
  if (device_ != nullptr) CloseHandle(device_);
  if (done_ != nullptr) CloseHandle(done_);
  free(info_);
  device_ = done_ = nullptr;
  info_ = nullptr;
}

// One poll with no time to wait. What has conditions comes first in the answer, in the old order.
int AfdGlancer::Ask(Glance* glances, uint32_t count) {
  info_->timeout.QuadPart = 0;
  info_->handle_count = count;
  info_->exclusive = FALSE;
  for (uint32_t i = 0; i < count; i++) {
    info_->handles[i] =
        AfdPollHandle{reinterpret_cast<HANDLE>(glances[i].base), glances[i].wanted, 0};
    glances[i].found = 0;
  }
  IO_STATUS_BLOCK status;
  status.Status = kStatusPending;
  status.Information = 0;
  const DWORD size = static_cast<DWORD>(InfoSize(count));
  NTSTATUS result = NtDeviceIoControlFile(device_, done_, nullptr, nullptr, &status, kIoctlAfdPoll,
                                          info_, size, info_, size);
  if (result == kStatusPending) {
    WaitForSingleObject(done_, INFINITE);
    result = status.Status;
  }
  if (result < 0) return FromNtStatus(result);
  if (info_->handle_count > count) return 0;
  for (uint32_t i = 0, at = 0; i < info_->handle_count; i++) {
    const auto base = reinterpret_cast<SOCKET>(info_->handles[i].handle);
    while (at < count && glances[at].base != base) at++;
    if (at == count) break;
    glances[at++].found = info_->handles[i].events;
  }
  return 0;
}

int AfdGlancer::Look(Glance* glances, uint32_t count) {
  if (count == 0) return 0;
  const int asked = Ask(glances, count);
  if (asked == 0 || asked == -ENOMEM) return asked;
  // One that is no socket any more makes the driver refuse them all.
  for (uint32_t i = 0; i < count; i++) {
    const int alone = Ask(&glances[i], 1);
    if (alone == -ENOMEM) return alone;
    if (alone < 0) glances[i].found = kAfdLocalClose;
  }
  return 0;
}

}  // namespace pollux
