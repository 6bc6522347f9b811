// The cycle prepare, block, harvest, in both of its forms.
#include "pollux/engine.h"

#include <errno.h>

#include "pollux/wakers.h"

namespace pollux {

int Engine::Open() {
  if (open()) return -EALREADY;
  Backend* backend = CreateBackend();
  if (backend == nullptr) return -ENOMEM;
  const int result = backend->Open();
  if (result < 0) {
    delete backend;
    return result;
  }
  waker_id_ = RegisterWaker(backend, &wakeup_);
  if (waker_id_ == 0) {
    backend->Close();
    delete backend;
    return -ENOMEM;
  }
  // A reason of a former life rang the former bell.
  wakeup_.Take();
  unharvested_ = busy_ = false;
  taken_ = 0;
  backend_ = backend;
  return 0;
}

void Engine::Close() {
  if (!open()) return;
  thread_.Stop();
  polled_ = false;
  UnregisterWaker(waker_id_);
  backend_->Close();
  delete backend_;
  backend_ = nullptr;
}

int Engine::Changed(int result) {
  if (result >= 0 && backend_->ChangesNeedWake() && thread_.running() && thread_.armed()) {
    wakeup_.Raise(backend_, Wakeup::kChange);
  }
  return result;
}

int Engine::Wait(uint64_t timeout_ns, Record* records, uint32_t capacity) {
  if (unharvested_) {
    const int left = Harvest(records, capacity);
    if (left != 0) return left;
  }
  const uint64_t deadline = DeadlineAfter(timeout_ns);
  for (;;) {
    const int prepared = backend_->Prepare(capacity);
    if (prepared < 0) return prepared;
    bool woken = false;
    const int found = backend_->Block(TimeUntil(deadline), &woken);
    uint32_t reasons = 0;
    if (woken) {
      reasons = wakeup_.Take();
      wakeups_++;
    }
    if (found < 0 && found != -EINTR) return found;
    if (found > 0) {
      const int written = backend_->Harvest(records, capacity);
      if (written != 0) return written;
    }
    if (reasons & Wakeup::kNotify) return 0;
    if (TimeUntil(deadline) == 0) return -ETIMEDOUT;
  }
}

int Engine::Attach(WaitThread::Ready ready, void* argument) {
  if (attached()) return -EALREADY;
  return thread_.Start(backend_, &wakeup_, ready, argument);
}

int Engine::AttachPolled() {
  if (attached()) return -EALREADY;
  const int result = backend_->SetDeadline(kForever);
  polled_ = result == 0;
  polled_capacity_ = 0;
  return result;
}

void Engine::Detach() {
  if (polled_) {
    polled_ = false;
    backend_->SetDeadline(kForever);
    return;
  }
  const Outcome left = thread_.Stop();
  if (left.result > 0) unharvested_ = true;
  if ((left.reasons | taken_) & Wakeup::kNotify) Notify();
  taken_ = 0;
}

void Engine::Retime(uint64_t timeout_ns) {
  const uint64_t deadline = DeadlineAfter(timeout_ns);
  if (polled_) {
    if (!unharvested_) backend_->SetDeadline(deadline);
  } else {
    thread_.Retime(deadline);
  }
}

int Engine::Arm(uint64_t timeout_ns, uint32_t capacity) {
  if (polled_) {
    polled_capacity_ = capacity;
    // What an earlier way had found is no longer the descriptor's to tell.
    return backend_->SetDeadline(unharvested_ ? 0 : DeadlineAfter(timeout_ns));
  }
  if (!thread_.running() || !thread_.idle()) return -EALREADY;
  if (unharvested_) {
    thread_.Announce();
    return 0;
  }
  const int prepared = backend_->Prepare(capacity);
  if (prepared < 0) return prepared;
  if (busy_) {
    bool woken = false;
    const int found = backend_->Block(0, &woken);
    if (woken) {
      taken_ |= wakeup_.Take();
      wakeups_++;
    }
    unharvested_ = found > 0;
    if (unharvested_ || woken) {
      thread_.Announce();
      return 0;
    }
  }
  thread_.Arm(DeadlineAfter(timeout_ns));
  return 0;
}

// The descriptor said that there is something: look, without waiting.
int Engine::HarvestPolled(Record* records, uint32_t capacity) {
  if (capacity < polled_capacity_) return -EINVAL;
  if (unharvested_) {
    const int left = backend_->Harvest(records, capacity);
    if (left >= 0) unharvested_ = false;
    if (left != 0) return left;
  }
  const int prepared = backend_->Prepare(capacity);
  if (prepared < 0) return prepared;
  bool woken = false;
  const int found = backend_->Block(0, &woken);
  if (woken) {
    wakeup_.Take();
    wakeups_++;
  }
  if (found <= 0) return found == -EINTR ? 0 : found;
  return backend_->Harvest(records, capacity);
}

int Engine::Harvest(Record* records, uint32_t capacity) {
  if (polled_) return HarvestPolled(records, capacity);
  Outcome outcome;
  if (thread_.Collect(&outcome)) {
    if (outcome.reasons != 0) wakeups_++;
    if (outcome.result < 0) return outcome.result;
    if (outcome.result > 0) unharvested_ = true;
  }
  taken_ = 0;
  busy_ = unharvested_;
  if (!unharvested_) return 0;
  const int written = backend_->Harvest(records, capacity);
  if (written >= 0) unharvested_ = false;
  return written;
}

}  // namespace pollux
