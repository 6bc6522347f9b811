// Things that happen to a JavaScript thread while it is blocked in a wait and can do nothing
// itself: a signal (EINTR), bytes that arrive, a descriptor that is closed.
//
// The delayed ones are detached threads, which is why the addon is linked never to be unloaded.
#include <atomic>
#include <new>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "binding.h"
#include "pollux/thread.h"
#include "scoped_fd.h"

namespace testkit {
namespace {

void SleepNs(int64_t ns) {
  const timespec time = {static_cast<time_t>(ns / 1000000000), static_cast<long>(ns % 1000000000)};
  nanosleep(&time, nullptr);  // not interrupted: these threads block every signal
}

int64_t ToNs(double ms) { return ms >= 0 && ms <= 3.6e6 ? static_cast<int64_t>(ms * 1e6) : -1; }

// SIGURG: what is sent but not yet delivered when the old handler comes back must not kill the
// process, and this one's default is to be ignored. Nobody here asks for it (F_SETOWN).
constexpr int kSignal = SIGURG;

struct Interrupter {
  pollux::Mutex mutex;  // guards all but the atomics
  bool running = false;
  pollux::Thread thread;
  pthread_t target = {};
  struct sigaction before = {};
  int64_t period_ns = 0;
  int count = 0;
  std::atomic<bool> stop{false};
  std::atomic<int> delivered{0};
};

Interrupter interrupter;

void CountSignal(int) { interrupter.delivered.fetch_add(1, std::memory_order_relaxed); }

void* Interrupt(void*) {
  constexpr int64_t kSlice = 5000000;  // so that a stop is never far
  for (int sent = 0; sent < interrupter.count; sent++) {
    for (int64_t left = interrupter.period_ns; left > 0; left -= kSlice) {
      SleepNs(left < kSlice ? left : kSlice);
      if (interrupter.stop.load()) return nullptr;
    }
    pthread_kill(interrupter.target, kSignal);
  }
  return nullptr;
}

int64_t StartInterrupter(double period_ms, int count) {
  const int64_t period_ns = ToNs(period_ms);
  if (period_ns <= 0 || count < 0) return -EINVAL;
  pollux::Lock lock(interrupter.mutex);
  if (interrupter.running) return -EBUSY;
  struct sigaction action = {};
  action.sa_handler = CountSignal;
  action.sa_flags = 0;  // no SA_RESTART: that is the point
  sigemptyset(&action.sa_mask);
  if (sigaction(kSignal, &action, &interrupter.before) < 0) return -errno;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, kSignal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  interrupter.target = pthread_self();
  interrupter.period_ns = period_ns;
  interrupter.count = count;
  interrupter.stop.store(false);
  interrupter.delivered.store(0);
  const int started = interrupter.thread.Start(Interrupt, nullptr);
  if (started < 0) {
    sigaction(kSignal, &interrupter.before, nullptr);
    return started;
  }
  interrupter.running = true;
  return 0;
}

int64_t StopInterrupter() {
  pollux::Lock lock(interrupter.mutex);
  if (!interrupter.running) return -ESRCH;
  interrupter.stop.store(true);
  interrupter.thread.Join();
  interrupter.running = false;
  SleepNs(1);  // a system call: what is pending for this thread is delivered and counted
  sigaction(kSignal, &interrupter.before, nullptr);
  return interrupter.delivered.load();
}

// A worker that ends must not be signalled any more: its pthread_t is about to be nobody's.
void StopForThisThread() {
  bool mine;
  {
    pollux::Lock lock(interrupter.mutex);
    mine = interrupter.running && pthread_equal(interrupter.target, pthread_self());
  }
  if (mine) StopInterrupter();
}

const Cleanup cleanup(StopForThisThread);

struct Later {
  int64_t delay_ns;
  int fd;
  uint8_t* bytes;  // null: close
  size_t size;
};

std::atomic<int> pending{0};

void* DoLater(void* argument) {
  pthread_detach(pthread_self());
  Later* later = static_cast<Later*>(argument);
  SleepNs(later->delay_ns);
  if (later->bytes == nullptr) {
    close(later->fd);
  } else {
    // Nobody is there to be told of a failure; the test will miss its bytes.
    [[maybe_unused]] const ssize_t count = write(later->fd, later->bytes, later->size);
  }
  free(later->bytes);
  free(later);
  pending.fetch_sub(1);
  return nullptr;
}

int64_t StartLater(int fd, uint8_t* bytes, size_t size, int64_t delay_ns) {
  Later* later = static_cast<Later*>(malloc(sizeof(Later)));
  if (later == nullptr) return -ENOMEM;
  *later = {delay_ns, fd, bytes, size};
  pending.fetch_add(1);
  pollux::Thread thread;
  const int started = thread.Start(DoLater, later);
  if (started < 0) {
    pending.fetch_sub(1);
    free(later);
  }
  return started;
}

int64_t WriteLater(int fd, Bytes bytes, double delay_ms) {
  const int64_t delay_ns = ToNs(delay_ms);
  if (delay_ns < 0) return -EINVAL;
  uint8_t* copy = static_cast<uint8_t*>(malloc(bytes.size + 1));
  if (copy == nullptr) return -ENOMEM;
  if (bytes.size > 0) memcpy(copy, bytes.data, bytes.size);
  const int64_t started = StartLater(fd, copy, bytes.size, delay_ns);
  if (started < 0) free(copy);
  return started;
}

int64_t CloseLater(int fd, double delay_ms) {
  const int64_t delay_ns = ToNs(delay_ms);
  return delay_ns < 0 ? -EINVAL : StartLater(fd, nullptr, 0, delay_ns);
}

int64_t PendingLater() { return pending.load(); }

TESTKIT_EXPORT(startInterrupter, StartInterrupter);
TESTKIT_EXPORT(stopInterrupter, StopInterrupter);
TESTKIT_EXPORT(writeLater, WriteLater);
TESTKIT_EXPORT(closeLater, CloseLater);
TESTKIT_EXPORT(pendingLater, PendingLater);

}  // namespace
}  // namespace testkit
