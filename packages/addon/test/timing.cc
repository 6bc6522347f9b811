// Timeouts: never early, with whatever call waits and through a storm of signals.
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>

#include "harness.h"

namespace pollux::harness {
namespace {

constexpr uint64_t kTimeouts[] = {
    0, 1, 999, 1000, 1001, 100 * kUs, 999 * kUs + 1, 1 * kMs, 1500 * kUs, 7300 * kUs};

void NeverEarly(Bench& bench, int rounds) {
  for (int round = 0; round < rounds; round++) {
    for (const uint64_t timeout : kTimeouts) {
      const uint64_t began = MonotonicNs();
      CHECK_EQ(bench.Wait(timeout), -ETIMEDOUT);
      CHECK(MonotonicNs() - began >= timeout);
    }
  }
  // Block has said so too; or Wait would have to spin for the rest.
  for (const uint64_t timeout : kTimeouts) {
    CHECK_EQ(bench.engine.backend()->Prepare(bench.capacity()), 0);
    bool woken = false;
    const uint64_t began = MonotonicNs();
    CHECK_EQ(bench.engine.backend()->Block(timeout, &woken), 0);
    CHECK(MonotonicNs() - began >= timeout);
    CHECK(!woken);
  }
}

std::atomic<int> signals_seen{0};
void CountSignal(int) { signals_seen++; }

// Signals to the thread that calls this, until the end of the scope.
class Storm {
 public:
  Storm() {
    struct sigaction action{};
    action.sa_handler = &CountSignal;
    CHECK_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
    const pthread_t target = pthread_self();
    crew_.Start([this, target] {
      while (!over_) {
        pthread_kill(target, SIGUSR1);
        Sleep(200 * kUs);
      }
    });
  }
  ~Storm() {
    over_ = true;
    crew_.Join();
  }

 private:
  std::atomic<bool> over_{false};
  Crew crew_;
};

Engine* notified_by_signal = nullptr;
void NotifyBySignal(int) { notified_by_signal->Notify(); }

}  // namespace

THEME(timeouts_are_never_early) {
  Bench bench;
  NeverEarly(bench, Scaled(10));
  Pair silent;
  CHECK_EQ(bench.Add(silent.watched, kReadable, 1), 0);
  NeverEarly(bench, 2);
}

// As on Linux before 5.11, and under a seccomp filter that does not know the call.
THEME(timeouts_without_epoll_pwait2) {
  for (const int error : {ENOSYS, EPERM}) {
    RefusePwait2(error);
    Bench bench;
    if (!bench.Is("epoll")) Skip("epoll_pwait2 is epoll's");
    CHECK_EQ(bench.engine.backend()->ResolutionNs(), 1000000);
    NeverEarly(bench, 2);
    Pair pair;
    CHECK_EQ(bench.Add(pair.watched, kReadable, 1), 0);
    pair.Write();
    bench.Expect(1, kReadable);
    bench.Expect(1, kReadable, kForever);
    RefusePwait2(0);
  }
}

THEME(signals_do_not_end_a_wait) {
  Bench bench;
  Pair pair;
  CHECK_EQ(bench.Add(pair.watched, kReadable, 1), 0);
  {
    const Storm storm;
    for (const uint64_t timeout : {3 * kMs, 20 * kMs, 40 * kMs}) {
      const int before = signals_seen;
      do {
        const uint64_t began = MonotonicNs();
        CHECK_EQ(bench.Wait(timeout), -ETIMEDOUT);
        CHECK(MonotonicNs() - began >= timeout);
      } while (signals_seen == before);  // the thread that sends them may be held up
    }
    for (int i = 0; i < Scaled(200); i++) {
      if (i % 2 == 0) {
        pair.Write();
        bench.Expect(1, kReadable, kForever);
        CHECK_EQ(pair.Drain(), 1);
      } else {
        bench.engine.Notify();
        CHECK_EQ(bench.Wait(kForever), 0);
      }
    }
    // The wait thread has every signal blocked; its owner has not.
    bench.Attach();
    for (int i = 0; i < Scaled(100); i++) {
      pair.Write();
      CHECK_EQ(bench.Next(), 1);
      CHECK_EQ(pair.Drain(), 1);
    }
    bench.Detach();
  }
}

THEME(notify_from_a_signal_handler) {
  Bench bench;
  struct sigaction action{};
  action.sa_handler = &NotifyBySignal;
  notified_by_signal = &bench.engine;
  CHECK_EQ(sigaction(SIGUSR2, &action, nullptr), 0);
  Crew crew;
  const pthread_t target = pthread_self();
  std::atomic<int> waits{0};
  crew.Start([&, target] {
    for (int i = 0; i < Scaled(300); i++) {
      const int before = waits;
      pthread_kill(target, SIGUSR2);
      for (int naps = 1; waits == before && waits < Scaled(300); naps++) {
        Sleep(50 * kUs);
#ifdef __SANITIZE_THREAD__
        // It puts a handler off to the next call that it intercepts; a signal that comes just
        // before the wait is entered, which it does not intercept, would be handled after it.
        if (naps % 20000 == 0) pthread_kill(target, SIGUSR2);
#endif
      }
    }
  });
  for (int i = 0; i < Scaled(300); i++) {
    CHECK_EQ(bench.Wait(), 0);
    waits++;
  }
  crew.Join();
  action.sa_handler = SIG_IGN;
  sigaction(SIGUSR2, &action, nullptr);
}

THEME(numbers_of_time) {
  CHECK_EQ(TimeoutFromMs(0), 0);
  CHECK_EQ(TimeoutFromMs(-1), 0);
  CHECK_EQ(TimeoutFromMs(-HUGE_VAL), 0);
  CHECK_EQ(TimeoutFromMs(nan("")), 0);
  CHECK_EQ(TimeoutFromMs(1e-300), 1);
  CHECK_EQ(TimeoutFromMs(0.0000001), 1);
  CHECK_EQ(TimeoutFromMs(0.5), 500000);
  CHECK_EQ(TimeoutFromMs(1.0000001), 1000001);
  CHECK_EQ(TimeoutFromMs(200), 200 * kMs);
  CHECK(TimeoutFromMs(8.9e12) < kForever);
  CHECK_EQ(TimeoutFromMs(9e12), static_cast<int64_t>(kForever));
  CHECK_EQ(TimeoutFromMs(1e308), static_cast<int64_t>(kForever));
  CHECK_EQ(TimeoutFromMs(HUGE_VAL), static_cast<int64_t>(kForever));

  CHECK(DeadlineAfter(kForever) == kForever);
  CHECK(DeadlineAfter(kForever - 1) == kForever);
  CHECK(DeadlineAfter(uint64_t{1} << 63) > MonotonicNs());
  CHECK(TimeUntil(kForever) == kForever);
  CHECK_EQ(TimeUntil(0), 0);
  const uint64_t deadline = DeadlineAfter(1000000 * kMs);
  CHECK(TimeUntil(deadline) <= 1000000 * kMs);
  CHECK(TimeUntil(deadline) > 900000 * kMs);
}

// Longer than any primitive takes at once.
THEME(huge_timeouts) {
  Bench bench;
  for (const uint64_t timeout :
       {kForever, kForever - 1, uint64_t{1} << 63, 1000000000000 * kMs, 86400001 * kMs}) {
    bench.engine.Notify();
    CHECK_EQ(bench.Wait(timeout), 0);
  }
}

}  // namespace pollux::harness
