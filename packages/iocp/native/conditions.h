// Interest in the driver's words, and what it found in ours.
#pragma once

#include <stdint.h>

#include "afd.h"
#include "pollux/backend.h"

namespace pollux {

// What to ask of the driver. An error is told whatever was asked for, and so is the end of the
// socket.
inline ULONG Conditions(uint32_t interest) {
  ULONG events = kAfdAbort | kAfdConnectFail | kAfdLocalClose;
  if (interest & kReadable) events |= kAfdReceive | kAfdAccept | kAfdDisconnect;
  if (interest & kWritable) events |= kAfdSend;
  if (interest & kPriority) events |= kAfdReceiveExpedited;
  return events;
}

// As epoll's: an error sets whichever of readable and writable was asked for.
inline uint32_t Translate(ULONG found, uint32_t interest) {
  uint32_t events = 0;
  if (found & (kAfdReceive | kAfdAccept)) events |= kReadable;
  if (found & kAfdDisconnect) events |= kReadable | kReadClosed;
  if (found & kAfdSend) events |= kWritable;
  if (found & kAfdReceiveExpedited) events |= kPriority;
  const bool failed = (found & (kAfdAbort | kAfdConnectFail)) != 0;
  if (failed) events |= kReadable | kWritable;
  if (found & kAfdAbort) events |= kReadClosed;
  events &= interest | kReadClosed;
  if (!(interest & kReadable)) events &= ~static_cast<uint32_t>(kReadClosed);
  if (failed) events |= kError | kHangup;
  return events;
}

}  // namespace pollux
