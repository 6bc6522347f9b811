// The driver under Winsock, asked directly: \Device\Afd and its one control code that select()
// itself is made of, IOCTL_AFD_POLL. Nothing of it is in a public header; the numbers are those
// that libuv, wepoll and mio use, unchanged since Windows NT.
//
// A poll names sockets and conditions. It ends when one of the conditions holds, at once if it does
// already, and tells which; or when its time is over. It is an ordinary overlapped request, so its
// end can be told to a completion port, and it can be cancelled.
#pragma once

#include <stdint.h>

#include "pollux/windows.h"
// After it.
#include <winternl.h>

namespace pollux {

// Conditions, as they are asked for and told.
enum : ULONG {
  kAfdReceive = 0x0001,
  kAfdReceiveExpedited = 0x0002,
  kAfdSend = 0x0004,
  kAfdDisconnect = 0x0008,  // the peer will send no more
  kAfdAbort = 0x0010,       // reset, by either side
  kAfdLocalClose = 0x0020,  // the last handle of this socket was closed
  kAfdAccept = 0x0080,
  kAfdConnectFail = 0x0100,
};

// AFD_POLL_INFO, with one handle.
struct AfdPollHandle {
  HANDLE handle;
  ULONG events;
  NTSTATUS status;
};
struct AfdPollInfo {
  LARGE_INTEGER timeout;  // in 100 ns; negative: from now
  ULONG handle_count;
  ULONG exclusive;
  AfdPollHandle handles[1];
};

constexpr NTSTATUS kStatusPending = 0x103;

// A negative errno for a status that is an error.
int FromNtStatus(NTSTATUS status);

// The handle that the driver knows, which is not the socket itself where a layered provider (a
// firewall, a filter) sits in between. A negative errno: -EBADF, -ENOTSOCK.
int BaseSocket(SOCKET socket, SOCKET* base);

// Opens the driver. Each handle of it carries polls of its own. 0 or a negative errno.
int OpenAfd(HANDLE* device);

// Starts a poll on a handle that belongs to a completion port, without a time limit. 0: `context`
// will come out of the port as the packet's OVERLAPPED, when `info` tells what was found; both must
// stay where they are until then.
int StartPoll(HANDLE device, AfdPollInfo* info, IO_STATUS_BLOCK* status, void* context, SOCKET base,
              ULONG events);

// Ends a poll before its time; its packet comes all the same. Of one that has ended already nothing
// is done.
void CancelPoll(HANDLE device, IO_STATUS_BLOCK* status);

// A socket to look at.
struct Glance {
  SOCKET base;
  ULONG wanted;
  ULONG found;  // out; kAfdLocalClose: there is no such socket any more
};

// Tells the present state of many sockets in one call.
class AfdGlancer {
 public:
  static constexpr uint32_t kMost = 256;

  AfdGlancer() = default;
  AfdGlancer(const AfdGlancer&) = delete;
  AfdGlancer& operator=(const AfdGlancer&) = delete;
  ~AfdGlancer() { Close(); }

  int Open();
  void Close();
  // At most kMost. 0, -ENOMEM, or what the driver refused with.
  int Look(Glance* glances, uint32_t count);

 private:
  int Ask(Glance* glances, uint32_t count);

  HANDLE device_ = nullptr;
  HANDLE done_ = nullptr;
  AfdPollInfo* info_ = nullptr;
};

}  // namespace pollux
