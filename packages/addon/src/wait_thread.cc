// The wait thread's life: sleep until armed, block, hand back, sleep again.
#include "pollux/wait_thread.h"

#include <errno.h>

namespace pollux {

int WaitThread::Start(Backend* backend, Wakeup* wakeup, Ready ready, void* argument) {
  backend_ = backend;
  wakeup_ = wakeup;
  ready_ = ready;
  argument_ = argument;
  state_ = State::kIdle;
  stopping_ = false;
  const int result = thread_.Start(&WaitThread::Entry, this);
  running_ = result == 0;
  return result;
}

Outcome WaitThread::Stop() {
  if (!running_) return {0, 0};
  {
    Lock lock(mutex_);
    stopping_ = true;
    changed_.Signal();
  }
  wakeup_->Raise(backend_, Wakeup::kStop);
  thread_.Join();
  running_ = false;
  const Outcome left = state_ == State::kReady ? outcome_ : Outcome{0, 0};
  state_ = State::kIdle;
  return left;
}

void WaitThread::Arm(uint64_t deadline) {
  deadline_.store(deadline);
  Lock lock(mutex_);
  state_ = State::kArmed;
  changed_.Signal();
}

void WaitThread::Retime(uint64_t deadline) {
  // A later deadline needs no wake: the thread looks again before it gives up.
  if (deadline_.exchange(deadline) > deadline && armed()) {
    wakeup_->Raise(backend_, Wakeup::kDeadline);
  }
}

bool WaitThread::Is(State state) {
  Lock lock(mutex_);
  return state_ == state;
}

bool WaitThread::Collect(Outcome* outcome) {
  Lock lock(mutex_);
  if (state_ != State::kReady) return false;
  *outcome = outcome_;
  state_ = State::kIdle;
  return true;
}

void* WaitThread::Entry(void* self) {
  static_cast<WaitThread*>(self)->Run();
  return nullptr;
}

void WaitThread::Run() {
  for (;;) {
    {
      Lock lock(mutex_);
      while (state_ != State::kArmed && !stopping_) changed_.Wait(mutex_);
      if (stopping_) return;
    }
    const Outcome outcome = BlockOnce();
    {
      Lock lock(mutex_);
      outcome_ = outcome;
      state_ = State::kReady;
      if (stopping_) return;
    }
    ready_(argument_);
  }
}

// Blocks until there is something for the owner: events, an error, a deadline
// that has passed, or a reason other than a moved deadline.
Outcome WaitThread::BlockOnce() {
  uint32_t reasons = 0;
  for (;;) {
    bool woken = false;
    const int result = backend_->Block(TimeUntil(deadline_.load()), &woken);
    if (woken) reasons |= wakeup_->Take() & ~Wakeup::kDeadline;
    if (result != 0 && result != -EINTR) return {result, reasons};
    if (reasons != 0) return {0, reasons};
    if (TimeUntil(deadline_.load()) == 0) return {0, 0};
  }
}

}  // namespace pollux
