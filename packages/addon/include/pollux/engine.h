// One poller, still without JavaScript: a backend, its wakeup, and the two ways
// to run its cycle: Wait on the caller's thread, or Arm and Harvest around the
// wait thread. The Node-API class above it only translates arguments, and the
// C++ harness drives it as it is.
#pragma once

#include <stdint.h>

#include "pollux/backend.h"
#include "pollux/wait_thread.h"
#include "pollux/wakeup.h"

namespace pollux {

class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine() { Close(); }

  // 0 or a negative errno; after a failure the engine is closed.
  int Open();
  void Close();
  bool open() const { return backend_ != nullptr; }
  bool attached() const { return thread_.running() || polled_; }
  uint32_t waker_id() const { return waker_id_; }
  Backend* backend() { return backend_; }
  uint64_t wakeups() const { return wakeups_; }

  int Add(Fd fd, Ask ask, uint32_t key) { return Changed(backend_->Add(fd, ask, key)); }
  int Modify(Fd fd, Ask ask, uint32_t key) { return Changed(backend_->Modify(fd, ask, key)); }
  int Delete(Fd fd) { return Changed(backend_->Delete(fd)); }
  int CanWatch(Fd fd) { return backend_->CanWatch(fd); }
  void Notify() { wakeup_.Raise(backend_, Wakeup::kNotify); }

  // Blocks the calling thread. Returns how many records were written, 0 if
  // Notify ended the wait, -ETIMEDOUT when the time is over, or what the
  // primitive refused with. A signal does not end it.
  int Wait(uint64_t timeout_ns, Record* records, uint32_t capacity);

  // Starts the wait thread; see WaitThread for `ready`.
  int Attach(WaitThread::Ready ready, void* argument);
  // The other way to be attached: somebody polls the backend's PollableFd and
  // harvests when it is readable. Nothing blocks; a deadline makes it readable.
  int AttachPolled();
  // Ends either. What it had found and nobody harvested is delivered by the next
  // Wait; a notify it had taken ends that Wait.
  void Detach();
  // Prepares a batch of `capacity` records and lets the thread block; announces
  // at once what an earlier batch left, or what is ready under load. -EALREADY while one is in
  // flight.
  int Arm(uint64_t timeout_ns, uint32_t capacity);
  void Retime(uint64_t timeout_ns);
  // Takes the batch that `ready` announced; 0 if it was a deadline or a wake.
  // After -EINVAL (capacity below the armed one) the batch is still there.
  int Harvest(Record* records, uint32_t capacity);

 private:
  int Changed(int result);
  int HarvestPolled(Record* records, uint32_t capacity);

  Backend* backend_ = nullptr;
  Wakeup wakeup_;
  WaitThread thread_;
  uint32_t waker_id_ = 0;
  uint64_t wakeups_ = 0;
  bool unharvested_ = false;
  // The last harvest had something. Then Arm looks for more by itself before it
  // hands over: under load the thread, and two context switches, are left out.
  bool busy_ = false;
  // The reasons that Arm has taken and announced, until the harvest.
  uint32_t taken_ = 0;
  bool polled_ = false;
  uint32_t polled_capacity_ = 0;
};

}  // namespace pollux
