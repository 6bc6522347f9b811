// Why a Block should end, raised by any thread, coalesced.
//
// The flags are the state, the backend's Wake is only the bell: it is rung by
// whoever raises the first reason, and the flags are taken after the bell was
// silenced (Block consumed it). So a reason raised in between is either taken
// now or rings again; none is lost, and a thousand notifies cost one write.
#pragma once

#include <stdint.h>

#include <atomic>

#include "pollux/backend.h"

namespace pollux {

class Wakeup {
 public:
  enum Reason : uint32_t {
    kNotify = 1,    // Poller.notify
    kChange = 2,    // registrations changed under a snapshot
    kDeadline = 4,  // the wait thread's deadline moved
    kStop = 8,      // the wait thread shall end
  };

  void Raise(Backend* backend, Reason reason) {
    if (reasons_.fetch_or(reason) == 0) backend->Wake();
  }

  // Only after a Block that said *woken, or before there is a bell.
  uint32_t Take() { return reasons_.exchange(0); }

 private:
  std::atomic<uint32_t> reasons_{0};
};

}  // namespace pollux
