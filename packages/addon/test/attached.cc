// The wait thread, one thing at a time: batches, deadlines that move, changes under a block, what
// is left by Detach and Close.
#include <errno.h>

#include "harness.h"
#include "pollux/wakers.h"

namespace pollux::harness {

THEME(attached_delivers_batches) {
  Bench bench(8);
  const int rounds = Scaled(800);
  std::unique_ptr<Pair> pairs[16];
  for (uint32_t i = 0; i < 16; i++) {
    pairs[i] = std::make_unique<Pair>(i % 2 == 0 ? Pair::kPipe : Pair::kSocket);
    Mode mode = i % 3 == 0 ? Mode::kOneshot : Mode::kLevel;
    if (i % 3 == 2 && bench.Has(kEdgeTriggered)) mode = Mode::kEdge;
    CHECK_EQ(bench.Add(pairs[i]->watched, kReadable, i, mode), 0);
  }
  bench.Attach();
  CHECK_EQ(bench.engine.Attach(nullptr, nullptr), -EALREADY);
  Crew writers;
  for (int writer = 0; writer < 2; writer++) {
    writers.Start([&, writer] {
      Random random(writer);
      for (int i = 0; i < rounds; i++) {
        while (!pairs[random.Below(8) * 2 + writer]->TryWrite()) Sleep(100 * kUs);
        if (random.Below(8) == 0) Sleep(random.Below(100) * kUs);
      }
    });
  }
  int received = 0;
  while (received < 2 * rounds) {
    const int count = bench.Next();
    CHECK(count <= 8);
    for (int i = 0; i < count; i++) {
      const uint32_t key = bench.records[i].key;
      CHECK(key < 16);
      CHECK_EQ(bench.records[i].events, kReadable);
      received += pairs[key]->Drain();
      if (key % 3 == 0) {
        CHECK_EQ(bench.Modify(pairs[key]->watched, kReadable, key, Mode::kOneshot), i + 1);
      }
    }
  }
  writers.Join();
  CHECK_EQ(received, 2 * rounds);
  bench.Detach();
  for (const auto& pair : pairs) CHECK_EQ(pair->Drain(), 0);
}

THEME(one_batch_in_flight) {
  Bench bench;
  Pair pair;
  CHECK_EQ(bench.engine.Arm(0, 1), -EALREADY);  // not attached
  CHECK_EQ(bench.Add(pair.watched, kReadable, 1, Mode::kOneshot), 0);
  bench.Attach();
  bench.Arm();
  CHECK_EQ(bench.engine.Arm(0, bench.capacity()), -EALREADY);
  CHECK_EQ(bench.Harvest(), 0);  // nothing yet
  pair.Write();
  bench.Await();
  // Found, announced, not collected: still in flight. To prepare another would lose it.
  CHECK_EQ(bench.engine.Arm(0, bench.capacity()), -EALREADY);
  CHECK_EQ(bench.engine.Harvest(bench.records.data(), bench.capacity() - 1), -EINVAL);
  CHECK_EQ(bench.Harvest(), 1);
  CHECK_EQ(bench.records[0].key, 1);
  CHECK_EQ(bench.Harvest(), 0);
  bench.Arm(0);
  CHECK_EQ(bench.Collect(), 0);
  bench.Detach();
}

THEME(attached_deadlines) {
  Bench bench;
  bench.Attach();
  for (const uint64_t timeout : {uint64_t{0}, 1 * kUs, 1 * kMs, 3300 * kUs}) {
    const uint64_t began = MonotonicNs();
    bench.Arm(timeout);
    CHECK_EQ(bench.Collect(), 0);
    CHECK(MonotonicNs() - began >= timeout);
  }
  uint64_t began = MonotonicNs();
  bench.Arm(kForever);  // forever becomes 5 ms
  bench.engine.Retime(5 * kMs);
  CHECK_EQ(bench.Collect(), 0);
  CHECK(MonotonicNs() - began >= 5 * kMs);

  bench.Arm(kSoon);  // earlier while it blocks
  Sleep(2 * kMs);
  bench.engine.Retime(0);
  CHECK_EQ(bench.Collect(), 0);

  began = MonotonicNs();
  bench.Arm(500 * kMs);  // later: no wake needed, the thread looks again
  bench.engine.Retime(510 * kMs);
  CHECK_EQ(bench.Collect(), 0);
  CHECK(MonotonicNs() - began >= 510 * kMs);

  bench.Arm(2 * kMs);
  bench.engine.Retime(kForever);
  if (!bench.Announced(20 * kMs)) bench.engine.Notify();  // else it was over before Retime
  bench.Detach();
}

// However the deadline moves, the batch comes, and not before the earliest deadline there was.
THEME(attached_deadlines_race) {
  Bench bench;
  Random random;
  bench.Attach();
  for (int i = 0; i < Scaled(400); i++) {
    uint64_t timeout = random.Below(3) == 0 ? kForever : random.Below(1500) * kUs;
    uint64_t earliest = DeadlineAfter(timeout);
    bench.Arm(timeout);
    for (uint32_t moves = random.Below(4); moves > 0; moves--) {
      if (random.Below(2) == 0) Sleep(random.Below(300) * kUs);
      timeout = random.Below(4) == 0 ? kForever : random.Below(1500) * kUs;
      const uint64_t deadline = DeadlineAfter(timeout);
      if (deadline < earliest) earliest = deadline;
      bench.engine.Retime(timeout);
    }
    bench.engine.Retime(random.Below(500) * kUs);
    const uint64_t last = MonotonicNs();
    CHECK_EQ(bench.Collect(), 0);
    CHECK(MonotonicNs() >= (earliest < last ? earliest : last));
  }
  bench.Detach();
  bench.ExpectSilence();  // a moved deadline that came too late ends no wait
}

THEME(changes_reach_a_block) {
  Bench bench;
  Pair added, modified, deleted, kept;
  CHECK_EQ(bench.Add(modified.watched, 0, 2), 0);
  CHECK_EQ(bench.Add(deleted.watched, kReadable, 3), 0);
  CHECK_EQ(bench.Add(kept.watched, kReadable, 4), 0);
  bench.Attach();
  const auto next_is = [&bench](uint32_t key) {
    // A change may have ended the block with nothing.
    int count = bench.Collect();
    while (count == 0) {
      bench.Arm();
      count = bench.Collect();
    }
    CHECK_EQ(count, 1);
    CHECK_EQ(bench.records[0].key, key);
  };
  for (const uint64_t pause :
       {uint64_t{0}, 2 * kMs}) {  // before the thread blocks, and in mid-block
    added.Write();
    bench.Arm();
    Sleep(pause);
    CHECK_EQ(bench.Add(added.watched, kReadable, 1), 0);
    next_is(1);
    CHECK_EQ(bench.Delete(added.watched), 1);
    added.Drain();

    modified.Write();
    bench.Arm();
    Sleep(pause);
    CHECK_EQ(bench.Modify(modified.watched, kReadable, 2), 0);
    next_is(2);
    modified.Drain();
    CHECK_EQ(bench.Modify(modified.watched, 0, 2), 1);

    bench.Arm();
    Sleep(pause);
    CHECK_EQ(bench.Delete(deleted.watched), 0);
    deleted.Write();
    Sleep(pause);
    kept.Write();
    next_is(4);
    kept.Drain();
    deleted.Drain();
    CHECK_EQ(bench.Add(deleted.watched, kReadable, 3), 0);
  }
  // Found but not yet harvested: the deletion holds for it too, and for its successor.
  deleted.Write();
  bench.Arm();
  bench.Await();
  CHECK_EQ(bench.Delete(deleted.watched), 0);
  CHECK_EQ(bench.Add(deleted.watched, kReadable, 5), 0);
  CHECK_EQ(bench.Harvest(), 0);
  CHECK_EQ(bench.Next(), 1);
  CHECK_EQ(bench.records[0].key, 5);
  bench.Detach();
}

THEME(detach_in_the_middle) {
  Bench bench;
  Pair pair;
  CHECK_EQ(bench.Add(pair.watched, kReadable, 1), 0);
  for (int i = 0; i < Scaled(300); i++) {
    bench.Attach();
    CHECK(bench.engine.attached());
    if (i % 4 != 0) bench.Arm(kForever);
    if (i % 4 == 2) Sleep(100 * kUs);
    bench.Detach();
    CHECK(!bench.engine.attached());
    bench.Detach();
    bench.ExpectSilence(0);
  }
  pair.Write();
  bench.Expect(1, kReadable);
}

// What the thread had found when it was stopped is delivered by the next wait, or the next thread.
THEME(detach_loses_no_batch) {
  Bench bench;
  std::vector<Mode> modes = {Mode::kLevel, Mode::kOneshot};
  if (bench.Has(kEdgeTriggered)) modes.push_back(Mode::kEdge);
  for (const Mode mode : modes) {
    Pair pair;
    CHECK_EQ(bench.Add(pair.watched, kReadable, 1, mode), 0);
    bench.Attach();
    bench.Arm();
    pair.Write();
    bench.Await();
    bench.Detach();
    CHECK_EQ(bench.engine.Wait(kSoon, bench.records.data(), bench.capacity() - 1), -EINVAL);
    bench.Expect(1, kReadable, 0);
    if (mode != Mode::kLevel) bench.ExpectSilence();

    CHECK_EQ(bench.Modify(pair.watched, kReadable, 2, mode), 1);
    bench.Attach();
    bench.Arm();
    bench.Await();
    bench.Detach();
    bench.Attach();
    bench.Arm(kForever);
    CHECK_EQ(bench.Collect(), 1);
    CHECK_EQ(bench.records[0].key, 2);
    if (mode != Mode::kLevel) {
      bench.Arm(kMoment);
      CHECK_EQ(bench.Collect(), 0);
    }
    bench.Detach();

    // Deleted in between: then it is not delivered.
    CHECK_EQ(bench.Modify(pair.watched, kReadable, 3, mode), 1);
    bench.Attach();
    bench.Arm();
    bench.Await();
    bench.Detach();
    CHECK_DONE(bench.Delete(pair.watched));
    bench.ExpectSilence();
  }
}

THEME(detach_races_with_an_event) {
  Bench bench;
  Pair pair;
  CHECK_EQ(bench.Add(pair.watched, kReadable, 0, Mode::kOneshot), 0);
  Random random;
  for (uint32_t i = 1; i <= static_cast<uint32_t>(Scaled(400)); i++) {
    CHECK(bench.Modify(pair.watched, kReadable, i, Mode::kOneshot) >= 0);
    bench.Attach();
    bench.Arm(kForever);
    Crew writer;
    writer.Start([&, delay = random.Below(60)] {
      Sleep(delay * kUs);
      pair.Write();
    });
    Sleep(random.Below(60) * kUs);
    bench.Detach();
    bench.Expect(i, kReadable);
    writer.Join();
    CHECK_EQ(pair.Drain(), 1);
  }
}

THEME(detach_loses_no_notify) {
  Bench bench;
  Random random;
  for (int i = 0; i < Scaled(400); i++) {
    bench.Attach();
    bench.Arm(kForever);
    Crew other;
    other.Start([&, delay = random.Below(60)] {
      Sleep(delay * kUs);
      CHECK(NotifyWaker(bench.engine.waker_id()));
    });
    Sleep(random.Below(60) * kUs);
    bench.Detach();
    CHECK_EQ(bench.Wait(), 0);
    other.Join();
    CHECK_EQ(bench.Wait(0), -ETIMEDOUT);
  }
}

// As above, where Arm itself took the notify: after a batch it looks for the next one by itself.
THEME(detach_loses_no_notify_that_arm_took) {
  Bench bench;
  Pair pair;
  CHECK_EQ(bench.Add(pair.watched, kReadable, 1), 0);
  for (const bool announced : {false, true}) {
    pair.Write();
    bench.Attach();
    CHECK_EQ(bench.Next(), 1);
    CHECK_EQ(pair.Drain(), 1);
    bench.engine.Notify();
    bench.Arm(kForever);
    if (announced) bench.Await();
    bench.Detach();
    CHECK_EQ(bench.Wait(), 0);
    CHECK_EQ(bench.Wait(0), -ETIMEDOUT);
  }
}

// The notify and an event are taken by one block; the batch is collected, the notify with it.
THEME(notify_beside_a_batch) {
  Bench bench;
  Pair pair;
  CHECK_EQ(bench.Add(pair.watched, kReadable, 1), 0);
  pair.Write();
  bench.engine.Notify();
  bench.Attach();
  bench.Arm(kForever);
  CHECK_EQ(bench.Collect(), 1);
  pair.Drain();
  bench.engine.Notify();
  bench.Arm(kForever);
  CHECK_EQ(bench.Collect(), 0);
  bench.Detach();
}

THEME(close_while_armed) {
  const int before = CountDescriptors();
  for (int i = 0; i < Scaled(300); i++) {
    Bench bench;
    Pair pair;
    CHECK_EQ(bench.Add(pair.watched, kReadable, 1), 0);
    bench.Attach();
    bench.Arm(kForever);
    Crew other;
    const uint32_t id = bench.engine.waker_id();
    if (i % 3 == 0) {
      other.Start([&] { pair.Write(); });
    } else if (i % 3 == 1) {
      other.Start([id] { NotifyWaker(id); });
    }
    bench.engine.Close();
    other.Join();
    CHECK(!NotifyWaker(id));
  }
  CHECK_EQ(CountDescriptors(), before);
}

}  // namespace pollux::harness
