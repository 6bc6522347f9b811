// The process-wide table behind Waker: a number that any thread may use to end
// another thread's wait, without holding anything that could dangle.
//
// It is the one thing that workers share on purpose. Numbers are never used
// twice, so one that is unknown or closed does nothing.
#pragma once

#include <stdint.h>

namespace pollux {

class Backend;
class Wakeup;

// The number for this poller, or 0 when out of memory.
uint32_t RegisterWaker(Backend* backend, Wakeup* wakeup);
void UnregisterWaker(uint32_t id);
// True if there was such a poller; it is notified before the call returns.
bool NotifyWaker(uint32_t id);

}  // namespace pollux
