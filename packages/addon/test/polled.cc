// The other way to be attached: somebody else polls the backend's descriptor. What is ready, when
// time is over and who notified, as ppoll(2) and a harvest tell it.
#include "polled.h"

#include <sched.h>

#include <algorithm>

#include "pollux/wakers.h"

namespace pollux::harness {

THEME(polled_readiness) {
  for (const Mode mode : {Mode::kLevel, Mode::kOneshot, Mode::kEdge}) {
    Loop loop;
    Pair pair;
    CHECK_EQ(loop.Add(pair.watched, kReadable, 1, mode), 0);
    loop.Arm(kForever);
    CHECK(!loop.Readable(kMoment));
    CHECK_EQ(loop.Harvest(), 0);  // nothing yet
    pair.Write();
    loop.ExpectTurn(1);
    for (int i = 0; i < 3; i++) {  // level tells of it until it is read
      loop.Arm(kForever);
      if (mode == Mode::kLevel) loop.ExpectTurn(1);
    }
    if (mode != Mode::kLevel) CHECK(!loop.Readable(kMoment));
    if (mode == Mode::kEdge) pair.Write();
    if (mode == Mode::kOneshot) CHECK_EQ(loop.Modify(pair.watched, kReadable, 1, mode), 1);
    loop.ExpectTurn(1);
    pair.Drain();
    CHECK(!loop.Readable());
    loop.Detach();
    pair.Write();  // what nobody had harvested is the next wait's
    if (mode == Mode::kOneshot) CHECK_EQ(loop.Modify(pair.watched, kReadable, 1, mode), 1);
    loop.Expect(1, kReadable, 0);
  }
}

THEME(polled_delivers_batches) {
  Loop loop(8);
  const int rounds = Scaled(800);
  std::unique_ptr<Pair> pairs[16];
  for (uint32_t i = 0; i < 16; i++) {
    pairs[i] = std::make_unique<Pair>(i % 2 == 0 ? Pair::kPipe : Pair::kSocket);
    const Mode modes[] = {Mode::kOneshot, Mode::kLevel, Mode::kEdge};
    CHECK_EQ(loop.Add(pairs[i]->watched, kReadable, i, modes[i % 3]), 0);
  }
  Crew writers;
  for (int writer = 0; writer < 2; writer++) {
    writers.Start([&, writer] {
      Random random(writer);
      for (int i = 0; i < rounds; i++) {
        while (!pairs[random.Below(8) * 2 + writer]->TryWrite()) Sleep(100 * kUs);
        if (random.Below(8) == 0) Sleep(random.Below(100) * kUs);
        if (random.Below(8) == 0) CHECK(NotifyWaker(loop.engine.waker_id()));
      }
    });
  }
  int received = 0;
  while (received < 2 * rounds) {
    const int count = loop.Batch();
    CHECK(count <= 8);
    for (int i = 0; i < count; i++) {
      const uint32_t key = loop.records[i].key;
      CHECK(key < 16);
      CHECK_EQ(loop.records[i].events, kReadable);
      received += pairs[key]->Drain();
      if (key % 3 == 0) {
        CHECK_EQ(loop.Modify(pairs[key]->watched, kReadable, key, Mode::kOneshot), i + 1);
      }
    }
  }
  writers.Join();
  CHECK_EQ(received, 2 * rounds);
}

// More is ready than there is room for, and the waker and the timer take places too: each oneshot
// and edge comes once, level starves nobody.
THEME(polled_full_batches) {
  constexpr int kReady = 40;
  for (const Mode mode : {Mode::kLevel, Mode::kOneshot, Mode::kEdge}) {
    for (const uint32_t capacity : {1u, 2u, 7u, 64u}) {
      Loop loop(capacity);
      Pair pair;
      std::vector<int> fds(kReady), reports(kReady);
      pair.Write();
      for (int i = 0; i < kReady; i++) {
        fds[i] = fcntl(pair.watched, F_DUPFD_CLOEXEC, 0);
        CHECK_EQ(loop.Add(fds[i], kReadable, i, mode), 0);
      }
      loop.engine.Notify();
      const auto least = [&] { return *std::min_element(reports.begin(), reports.end()); };
      for (int turns = 0; least() == 0 || (mode != Mode::kLevel && loop.Readable()); turns++) {
        CHECK(turns < 10 * kReady);
        loop.Arm(0);
        const int count = loop.Turn();
        CHECK(count >= 0 && static_cast<uint32_t>(count) <= capacity);
        for (int i = 0; i < count; i++) reports[loop.records[i].key]++;
      }
      CHECK(mode == Mode::kLevel || *std::max_element(reports.begin(), reports.end()) == 1);
      for (const int fd : fds) close(fd);
    }
  }
}

// The room may grow between arm and harvest; with less than was armed the harvest takes nothing.
THEME(polled_capacity) {
  Loop loop(8);
  Pair pairs[3];
  for (uint32_t i = 0; i < 3; i++) {
    CHECK_EQ(loop.Add(pairs[i].watched, kReadable, i, Mode::kOneshot), 0);
    pairs[i].Write();
  }
  loop.engine.Notify();
  CHECK_EQ(loop.engine.Arm(0, 4), 0);
  CHECK_EQ(loop.engine.Harvest(loop.records.data(), 3), -EINVAL);
  loop.records.resize(300);
  CHECK_EQ(loop.Turn(), 3);
  CHECK_EQ(loop.engine.wakeups(), 1);
  for (Pair& pair : pairs) {
    CHECK(loop.Modify(pair.watched, kReadable, 9, Mode::kOneshot) > 0);
  }
  loop.records.resize(2);
  loop.Arm(kForever);
  CHECK_EQ(loop.Turn(), 2);
  loop.Arm(kForever);
  CHECK_EQ(loop.Turn(), 1);
  CHECK(!loop.Readable());
}

THEME(polled_deadlines) {
  Loop loop;
  for (const uint64_t timeout : {uint64_t{0}, 1 * kUs, 80 * kUs, 1 * kMs, 3300 * kUs}) {
    const uint64_t began = MonotonicNs();
    loop.Arm(timeout);
    loop.ExpectDeadline(began + timeout);
  }
  // Finer than a millisecond, at least once.
  for (uint64_t took = kSoon; took >= kMs;) {
    const uint64_t began = MonotonicNs();
    loop.Arm(50 * kUs);
    loop.ExpectDeadline(began + 50 * kUs);
    took = MonotonicNs() - began;
  }
  for (const uint64_t first : {kForever, kForever - 1, uint64_t{1} << 62, kSoon}) {
    loop.Arm(first);
    CHECK(!loop.Readable(kMoment));
    const uint64_t began = MonotonicNs();  // sooner
    loop.engine.Retime(2 * kMs);
    loop.ExpectDeadline(began + 2 * kMs);
    loop.Arm(2 * kMs);
    for (const uint64_t then : {first, kForever}) {  // later; at first perhaps over already
      loop.engine.Retime(then);
      CHECK(!loop.Readable(4 * kMs));
      CHECK_EQ(loop.Harvest(), 0);
      loop.engine.Retime(0);
      CHECK(loop.Readable());
    }
  }
  uint64_t began = MonotonicNs();
  loop.Arm(5 * kMs);  // a wake does not move it
  loop.engine.Notify();
  CHECK_EQ(loop.Turn(), 0);
  // Else they may have come together.
  if (MonotonicNs() < began + 5 * kMs) loop.ExpectDeadline(began + 5 * kMs);
  loop.Arm(0);  // the same moment twice, and once more when it was harvested
  loop.Arm(0);
  CHECK_EQ(loop.Turn(), 0);
  loop.Arm(0);
  CHECK_EQ(loop.Turn(), 0);
}

// However the deadline moves, it is the last one that counts.
THEME(polled_deadlines_race) {
  Loop loop;
  Random random;
  Crew other;
  std::atomic<bool> over{false};
  other.Start([&] {
    for (; !over; Sleep(200 * kUs)) CHECK(NotifyWaker(loop.engine.waker_id()));
  });
  for (int i = 0; i < Scaled(400); i++) {
    uint64_t timeout = random.Below(3) == 0 ? kForever : random.Below(1500) * kUs;
    loop.Arm(timeout);
    for (uint32_t moves = random.Below(4); moves > 0; moves--) {
      if (random.Below(2) == 0) Sleep(random.Below(300) * kUs);
      if (random.Below(4) == 0) CHECK_EQ(loop.Harvest(), 0);
      timeout = random.Below(4) == 0 ? kForever : random.Below(1500) * kUs;
      loop.engine.Retime(timeout);
    }
    timeout = random.Below(1000) * kUs;
    const uint64_t last = DeadlineAfter(timeout);
    loop.engine.Retime(timeout);
    for (;;) {  // until it is not a wake
      const uint64_t wakeups = loop.engine.wakeups();
      CHECK_EQ(loop.Turn(), 0);
      if (loop.engine.wakeups() == wakeups) break;
      if (MonotonicNs() >= last + kMs) break;  // both at once
    }
    CHECK(MonotonicNs() >= last);
  }
  over = true;
  other.Join();
  loop.Detach();
  CHECK(loop.Wait(0) <= 0);
  loop.ExpectSilence();
}

// Each notify comes, also while another is harvested: two threads, each waiting for its answer.
THEME(polled_notify) {
  Loop loop;
  const int rounds = Scaled(1500);
  std::atomic<int> asked[2]{}, answered[2]{};
  std::atomic<int> done{0};
  Crew others;
  for (int i = 0; i < 2; i++) {
    others.Start([&, i] {
      for (int round = 1; round <= rounds; round++) {
        asked[i] = round;
        CHECK(NotifyWaker(loop.engine.waker_id()));
        while (answered[i] < round) sched_yield();
      }
      done++;
      CHECK(NotifyWaker(loop.engine.waker_id()));
    });
  }
  while (done < 2) {
    loop.Arm(kForever);
    CHECK_EQ(loop.Turn(), 0);
    for (int i = 0; i < 2; i++) answered[i] = asked[i].load();
  }
  others.Join();
  CHECK(loop.engine.wakeups() <= static_cast<uint64_t>(2 * rounds + 2));
  if (loop.Readable()) CHECK_EQ(loop.Harvest(), 0);
  CHECK(!loop.Readable());

  Pair pair;
  CHECK_EQ(loop.Add(pair.watched, kReadable, 1, Mode::kOneshot), 0);
  pair.Write();
  for (int i = 0; i < 5; i++) loop.engine.Notify();
  loop.ExpectTurn(1);  // many are one, and taken beside the batch
  CHECK(!loop.Readable());
  loop.engine.Notify();
  loop.Detach();
  CHECK_EQ(loop.Wait(), 0);  // not harvested, so it ends the next wait
  loop.ExpectSilence();
}

THEME(polled_drops_what_is_stale) {
  Loop loop;
  Pair deleted, paused, replaced, narrowed, closed;
  Pair* pairs[] = {&deleted, &paused, &replaced, &narrowed, &closed};
  for (uint32_t i = 0; i < 5; i++) {
    CHECK_EQ(loop.Add(pairs[i]->watched, kReadable, i), 0);
    pairs[i]->Write();
  }
  loop.Arm(kForever);
  CHECK(loop.Readable());
  CHECK_EQ(loop.Delete(deleted.watched), 0);
  CHECK_EQ(loop.Modify(paused.watched, 0, 1), 0);
  CHECK_EQ(loop.Delete(replaced.watched), 0);
  CHECK_EQ(loop.Add(replaced.watched, kReadable, 7), 0);
  CHECK_EQ(loop.Modify(narrowed.watched, kPriority, 3), 0);
  closed.CloseWatched();
  loop.ExpectTurn(7);
  CHECK_EQ(loop.Delete(replaced.watched), 1);
  CHECK(!loop.Readable());
  CHECK_EQ(loop.Modify(paused.watched, kReadable, 8), 0);
  loop.ExpectTurn(8);
  paused.Drain();

  const Ghost ghost(loop);
  CHECK_EQ(loop.Turn(), 0);
  CHECK_EQ(loop.engine.backend()->counters().stale, 1);
}

}  // namespace pollux::harness
