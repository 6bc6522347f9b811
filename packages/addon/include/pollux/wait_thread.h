// A thread that blocks so that the JavaScript thread need not.
//
// It owns nothing: the slot between Prepare and Harvest is handed to it by Arm
// and handed back when `ready` was called, so at every moment exactly one thread
// may touch the backend's private buffer. After a batch it sleeps until armed
// again, so one batch is in flight at a time.
#pragma once

#include <stdint.h>

#include <atomic>

#include "pollux/backend.h"
#include "pollux/clock.h"
#include "pollux/thread.h"
#include "pollux/wakeup.h"

namespace pollux {

// What a Block ended with: a count or a negative errno, and the reasons taken.
struct Outcome {
  int result;
  uint32_t reasons;
};

class WaitThread {
 public:
  using Ready = void (*)(void*);

  // 0 or a negative errno. `ready(argument)` is called on the wait thread, with
  // no lock held, each time a batch, a deadline or a wake awaits the owner.
  int Start(Backend* backend, Wakeup* wakeup, Ready ready, void* argument);
  // Ends the thread and waits for it. The outcome is that of a batch which the
  // owner has not collected, {0, 0} if there is none.
  Outcome Stop();
  bool running() const { return running_; }

  // Owner's thread, after Prepare: block until the deadline.
  void Arm(uint64_t deadline);
  // Owner's thread: calls `ready` without blocking, for what is there already.
  void Announce() { ready_(argument_); }
  // Owner's thread, at any time: the deadline of an armed thread moves.
  void Retime(uint64_t deadline);
  // True while the backend belongs to the wait thread.
  bool armed() { return Is(State::kArmed); }
  // True if no batch is in flight: neither armed nor awaiting Collect.
  bool idle() { return Is(State::kIdle); }
  // Owner's thread: takes what a Block ended with. False: nothing there yet.
  bool Collect(Outcome* outcome);

 private:
  enum class State { kIdle, kArmed, kReady };

  static void* Entry(void* self);
  bool Is(State state);
  void Run();
  Outcome BlockOnce();

  Backend* backend_ = nullptr;
  Wakeup* wakeup_ = nullptr;
  Ready ready_ = nullptr;
  void* argument_ = nullptr;
  bool running_ = false;

  Thread thread_;
  Mutex mutex_;
  Condition changed_;
  State state_ = State::kIdle;
  bool stopping_ = false;
  Outcome outcome_{0, 0};
  std::atomic<uint64_t> deadline_{kForever};
};

}  // namespace pollux
