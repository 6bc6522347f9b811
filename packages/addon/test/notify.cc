// Notify and the table of wakers, from many threads at once. No call may be lost, and none may
// reach a poller that is gone.
#include "harness.h"
#include "pollux/wakers.h"

namespace pollux::harness {

THEME(notify_ends_this_wait_or_the_next) {
  Bench bench;
  for (int i = 0; i < 1000; i++) bench.engine.Notify();
  CHECK_EQ(bench.Wait(), 0);
  bench.ExpectSilence();
  CHECK_EQ(bench.engine.wakeups(), 1);
  Crew crew;
  crew.Start([&] {
    Sleep(2 * kMs);
    bench.engine.Notify();
  });
  CHECK_EQ(bench.Wait(kForever), 0);
  Pair pair;
  CHECK_EQ(bench.Add(pair.watched, kReadable, 1), 0);
  pair.Write();
  bench.engine.Notify();
  bench.Expect(1, kReadable);  // events come first
}

// Each caller waits until its own request was seen before it makes the next, so one lost wake-up
// stops everything.
THEME(notify_is_never_lost) {
  Bench bench;
  constexpr int kThreads = 4;
  const int rounds = Scaled(3000);
  std::atomic<int> requested{0}, seen{0}, done{0};
  const uint32_t id = bench.engine.waker_id();
  {
    Crew crew;
    for (int thread = 0; thread < kThreads; thread++) {
      crew.Start([&, thread] {
        for (int i = 0; i < rounds; i++) {
          const int mine = ++requested;
          if (thread % 2 == 0) {
            bench.engine.Notify();
          } else {
            CHECK(NotifyWaker(id));
          }
          for (int spins = 0; seen < mine; spins++) {
            if (spins > 100) Sleep(20 * kUs);
          }
        }
        done++;
        bench.engine.Notify();
      });
    }
    while (done < kThreads) {
      CHECK_EQ(bench.Wait(), 0);
      seen = requested.load();
    }
  }
  CHECK_EQ(seen, kThreads * rounds);
  CHECK(bench.engine.wakeups() <= static_cast<uint64_t>(kThreads * (rounds + 1)));
}

THEME(waker_ids) {
  CHECK(!NotifyWaker(0));
  CHECK(!NotifyWaker(1));
  CHECK(!NotifyWaker(UINT32_MAX));
  Random random;
  std::vector<std::unique_ptr<Bench>> open;
  std::vector<uint32_t> closed;
  uint32_t last_id = 0;
  for (int i = 0; i < Scaled(400); i++) {
    if (open.size() < 40 && (random.Below(3) != 0 || open.empty())) {
      open.push_back(std::make_unique<Bench>(1));
      CHECK(open.back()->engine.waker_id() > last_id);
      last_id = open.back()->engine.waker_id();
    } else {
      const auto victim = open.begin() + random.Below(static_cast<uint32_t>(open.size()));
      closed.push_back((*victim)->engine.waker_id());
      open.erase(victim);
    }
    for (const auto& bench : open) CHECK(NotifyWaker(bench->engine.waker_id()));
    for (const uint32_t id : closed) CHECK(!NotifyWaker(id));
    CHECK(!NotifyWaker(last_id + 1));
    for (const auto& bench : open) {
      CHECK_EQ(bench->Wait(), 0);
      CHECK_EQ(bench->Wait(0), -ETIMEDOUT);
    }
  }
}

THEME(wakers_race_with_open_and_close) {
  constexpr int kThreads = 4, kPollers = 6;
  std::atomic<uint32_t> ids[kPollers] = {};
  std::atomic<bool> over{false};
  std::atomic<int> reached{0};
  Crew crew;
  for (int thread = 0; thread < kThreads; thread++) {
    crew.Start([&, thread] {
      Random random(thread);
      while (!over) {
        const uint32_t id = ids[random.Below(kPollers)];
        if (NotifyWaker(id)) reached++;
        NotifyWaker(id + 1 + random.Below(3));  // just opened, or not yet
        CHECK(!NotifyWaker(0));
        if (random.Below(50) == 0) Sleep(10 * kUs);
      }
    });
  }
  Random random(99);
  std::unique_ptr<Bench> benches[kPollers];
  for (int i = 0; i < Scaled(1500); i++) {
    const uint32_t which = random.Below(kPollers);
    if (benches[which] == nullptr) {
      benches[which] = std::make_unique<Bench>(4);
      ids[which] = benches[which]->engine.waker_id();
    } else if (random.Below(4) == 0) {
      benches[which].reset();  // its id stays in use by the others
    } else {
      const int result = benches[which]->Wait(random.Below(2) * 100 * kUs);
      CHECK(result == 0 || result == -ETIMEDOUT);
    }
  }
  while (reached == 0) {
    if (benches[0] == nullptr) {
      benches[0] = std::make_unique<Bench>(4);
      ids[0] = benches[0]->engine.waker_id();
    }
    Sleep(kMs);
  }
  over = true;
  crew.Join();
  for (auto& bench : benches) {
    if (bench == nullptr) continue;
    bench->Wait(0);
    CHECK(NotifyWaker(bench->engine.waker_id()));
    CHECK_EQ(bench->Wait(), 0);
  }
}

// An engine that is opened again starts afresh: no reason of its former life may keep the bell from
// being rung.
THEME(an_engine_opened_again) {
  for (const bool attached : {false, true}) {
    Bench bench;
    if (attached) {
      bench.Attach();
    } else {
      bench.engine.Notify();
    }
    bench.engine.Close();
    CHECK(!bench.engine.open());
    bench.engine.Close();
    CHECK_EQ(bench.engine.Open(), 0);
    CHECK_EQ(bench.engine.Open(), -EALREADY);
    bench.ExpectSilence();
    bench.engine.Notify();
    CHECK_EQ(bench.Wait(), 0);
    CHECK(NotifyWaker(bench.engine.waker_id()));
    CHECK_EQ(bench.Wait(), 0);
    bench.Attach();
    bench.Arm(kForever);
    bench.Detach();
  }
}

}  // namespace pollux::harness
