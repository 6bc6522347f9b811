// What of a descriptor's condition is an event, where the primitive tells all
// conditions apart (epoll, poll).
#pragma once

#include <stdint.h>

#include "pollux/backend.h"

namespace pollux {

// `seen` has the bits of an event, each as the primitive told it. An error and a
// hangup come unasked; each sets whichever of readable and writable was asked for,
// so that a caller who looks at these two alone learns of it by the error of its
// read or write.
inline uint32_t EventsOf(uint32_t seen, uint32_t interest) {
  uint32_t events = seen & interest;
  if (seen & (kError | kHangup)) events |= interest & (kReadable | kWritable);
  if (interest & kReadable && seen & kReadClosed) events |= kReadClosed | kReadable;
  return events | (seen & (kError | kHangup));
}

}  // namespace pollux
