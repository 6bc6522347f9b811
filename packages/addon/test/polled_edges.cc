// Polled, to its edges: refusals, no means, the set made anew, one way to be attached after
// another, Close at any moment. That a poller refuses to wait meanwhile is its own affair, not the
// engine's.
#include <sys/epoll.h>

#include "polled.h"
#include "pollux/wakers.h"

namespace pollux::harness {

THEME(polled_refusals) {
  Bench bench;
  const bool pollable = bench.engine.backend()->PollableFd() != kNoFd;
  CHECK_EQ(bench.engine.AttachPolled(), pollable ? 0 : -ENOSYS);
  CHECK_EQ(bench.engine.attached(), pollable);
  if (pollable) {
    CHECK_EQ(bench.engine.AttachPolled(), -EALREADY);
    CHECK_EQ(bench.engine.Attach(nullptr, nullptr), -EALREADY);
    bench.Detach();
    CHECK(!bench.engine.attached());
  }
  bench.Detach();
  CHECK_EQ(bench.engine.Arm(0, 1), -EALREADY);  // not attached
  bench.Attach();
  CHECK_EQ(bench.engine.AttachPolled(), -EALREADY);
  bench.Arm(0);
  CHECK_EQ(bench.Collect(), 0);
}

// No descriptor, no memory: not attached, nothing left open, and it can be tried again.
THEME(polled_without_means) {
  const int before = CountDescriptors();
  const int limit = RaiseDescriptorLimit();
  {
    Bench bench(4);
    if (bench.engine.backend()->PollableFd() == kNoFd) Skip("no descriptor to poll");
    SetDescriptorLimit(LowestFreeDescriptor());
    CHECK_EQ(bench.engine.AttachPolled(), -EMFILE);
    SetDescriptorLimit(limit);
    FailEpollAddsAfter(0);
    CHECK_EQ(bench.engine.AttachPolled(), -ENOMEM);
    LetEpollAddsSucceed();
    CHECK(!bench.engine.attached());
    CHECK_EQ(CountDescriptors(), before + 2);
  }
  Loop loop(4);
  CHECK_EQ(CountDescriptors(), before + 3);
  Pair pair;
  CHECK_EQ(loop.Add(pair.watched, kReadable, 1, Mode::kOneshot), 0);
  pair.Write();
  loop.engine.Notify();
  loop.Arm(0);
  FailAllocationsAfter(0);
  const int harvested = loop.Turn();
  CHECK(LetAllocationsSucceed());
  CHECK_EQ(harvested, -ENOMEM);
  loop.ExpectTurn(1);
  CHECK_EQ(loop.engine.wakeups(), 1);
  CHECK(!loop.Readable());
}

// The set is made anew under the same number, or, for want of memory at any step, is not; timer,
// waker and members are in it either way.
THEME(polled_rebuild) {
  for (int successes = 0; successes < 6; successes++) {
    const int before = CountDescriptors();
    Loop loop;
    const int number = loop.fd();
    Pair pairs[2];
    for (uint32_t i = 0; i < 2; i++) {
      CHECK_EQ(loop.Add(pairs[i].watched, kReadable, i, i == 0 ? Mode::kLevel : Mode::kEdge), 0);
    }
    {
      const Ghost ghost(loop);
      loop.Arm();
      FailEpollAddsAfter(successes);
      for (int i = 0; i < 4; i++) CHECK_EQ(loop.Harvest(), 0);
      LetEpollAddsSucceed();
      for (int i = 0; Rebuilds(loop) == 0; i++) CHECK(i < 100 && loop.Turn() == 0);
    }
    CHECK_EQ(loop.fd(), number);
    CHECK_EQ(fcntl(number, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(CountDescriptors(), before + 7);
    const uint64_t began = MonotonicNs();
    loop.engine.Retime(kMs);
    loop.ExpectDeadline(began + kMs);
    loop.engine.Notify();
    CHECK_EQ(loop.Turn(), 0);
    CHECK_EQ(loop.engine.wakeups(), 1);
    for (uint32_t i = 0; i < 2; i++) {
      pairs[i].Write();
      loop.ExpectTurn(i);
      pairs[i].Drain();
    }
    CHECK(!loop.Readable());
  }
}

// A deadline and a notify that came before the set was made anew, and found no room in the batch.
THEME(polled_rebuild_loses_no_wake) {
  Loop loop(1);
  const Ghost ghost(loop);
  loop.Arm(kForever);
  CHECK_EQ(loop.Turn(), 0);
  loop.engine.Retime(0);
  loop.engine.Notify();
  CHECK_EQ(loop.Turn(), 0);
  CHECK_EQ(Rebuilds(loop), 1);
  CHECK_EQ(loop.engine.wakeups(), 0);
  for (int i = 0; i < 2; i++) CHECK_EQ(loop.Turn(), 0);
  CHECK_EQ(loop.engine.wakeups(), 1);
  CHECK(!loop.Readable());
}

// As libuv does it. Another epoll has the descriptor until the set is made anew; then it must be
// told again.
THEME(polled_by_another_epoll) {
  Loop loop;
  const int outer = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  const auto heard = [&](uint64_t timeout) {
    return epoll_wait(outer, &event, 1, static_cast<int>(timeout / kMs));
  };
  CHECK_EQ(epoll_ctl(outer, EPOLL_CTL_ADD, loop.fd(), &event), 0);
  for (int round = 0; round < 3; round++) {
    loop.engine.Notify();
    CHECK_EQ(heard(kSoon), 1);
    CHECK_EQ(heard(0), 1);
    CHECK_EQ(loop.Harvest(), 0);
    CHECK_EQ(heard(0), 0);
    const uint64_t began = MonotonicNs();
    loop.Arm(300 * kUs);
    CHECK_EQ(heard(kSoon), 1);
    CHECK(MonotonicNs() >= began + 300 * kUs);
    CHECK_EQ(loop.Harvest(), 0);
    CHECK_EQ(heard(0), 0);

    const Ghost ghost(loop);
    const uint64_t rebuilds = Rebuilds(loop);
    while (Rebuilds(loop) == rebuilds) {
      CHECK_EQ(heard(kSoon), 1);
      CHECK_EQ(loop.Harvest(), 0);
    }
    loop.engine.Notify();
    CHECK_EQ(heard(kMoment), 0);
    CHECK_EQ(epoll_ctl(outer, EPOLL_CTL_ADD, loop.fd(), &event), 0);
  }
  CHECK_EQ(heard(kSoon), 1);
  close(outer);
}

// From polled to each way: no event and no notify is lost, and no deadline outlives its way.
THEME(polled_and_not_by_turns) {
  Loop loop;
  loop.Detach();
  Pair pair;
  CHECK_EQ(loop.Add(pair.watched, 0, 0), 0);
  Random random;
  for (uint32_t i = 1; i <= static_cast<uint32_t>(Scaled(400)); i++) {
    CHECK_DONE(loop.Modify(pair.watched, kReadable, i, Mode::kOneshot));
    const uint64_t wakeups = loop.engine.wakeups();
    const bool notified = random.Below(2) == 0;
    Crew other;
    other.Start([&, delay = random.Below(100)] {
      Sleep(delay * kUs);
      pair.Write();
      if (notified) CHECK(NotifyWaker(loop.engine.waker_id()));
    });
    int heard = 0;
    const auto hear = [&](int count) {
      if (count <= 0) return count;
      CHECK_EQ(count, 1);
      CHECK_EQ(loop.records[0].key, i);
      heard++;
      return count;
    };
    loop.AttachPolled();
    loop.Arm(random.Below(3) * 50 * kUs);
    Sleep(random.Below(80) * kUs);
    if (random.Below(2) == 0) CHECK_DONE(hear(loop.Harvest()));
    loop.Detach();
    const uint32_t way = random.Below(3);
    if (way == 0) {
      loop.Attach();
      loop.Arm(random.Below(2) * kMs);
      CHECK_DONE(hear(loop.Collect()));
      loop.Detach();
    } else if (way == 1) {
      loop.AttachPolled();
      loop.Arm(random.Below(2) * kMs);
      CHECK_DONE(hear(loop.Turn()));
      loop.Detach();
    }
    other.Join();
    while (hear(loop.Wait(0)) >= 0) {
    }
    CHECK_EQ(heard, 1);
    CHECK(!notified || loop.engine.wakeups() > wakeups);
    CHECK_EQ(pair.Drain(), 1);
  }
  loop.AttachPolled();
  loop.Arm(0);
  CHECK(loop.Readable());  // over, and not harvested
  loop.Detach();
  CHECK(!loop.Readable());
  loop.ExpectSilence();
  loop.AttachPolled();
  loop.Arm(kMs);
  loop.Detach();
  loop.Attach();
  loop.Arm(kForever);
  CHECK(!loop.Announced(kMoment));
}

// What a wait thread had found when it was stopped is polled's first batch.
THEME(polled_loses_no_batch_of_the_thread) {
  for (const Mode mode : {Mode::kLevel, Mode::kOneshot, Mode::kEdge}) {
    Loop loop;
    Pair pair;
    loop.Detach();
    CHECK_EQ(loop.Add(pair.watched, kReadable, 1, mode), 0);
    pair.Write();
    for (const bool deleted : {false, true}) {
      loop.Attach();
      loop.Arm();
      loop.Await();
      loop.Detach();
      loop.AttachPolled();
      loop.Arm(kForever);
      loop.engine.Retime(kSoon);
      if (deleted) CHECK_DONE(loop.Delete(pair.watched));
      CHECK_EQ(loop.engine.Harvest(loop.records.data(), 1), -EINVAL);
      if (!deleted) loop.ExpectTurn(1);
      if (deleted) CHECK_EQ(loop.Turn(), 0);
      loop.Arm(kForever);
      const bool again = mode == Mode::kLevel && !deleted;
      // The thread's end has rung the bell.
      if (again || loop.Readable()) CHECK_EQ(loop.Harvest(), again);
      CHECK_EQ(loop.Readable(), again);
      loop.Detach();
      if (!deleted) CHECK_DONE(loop.Modify(pair.watched, kReadable, 1, mode));
    }
  }
}

// A number that was closed but not deleted is not the timer's: the deletion would reach that.
THEME(polled_timer_has_a_number_of_its_own) {
  for (int what = 0; what < 4; what++) {
    Bench bench;
    if (bench.engine.backend()->PollableFd() == kNoFd) Skip("no descriptor to poll");
    Pair pairs[2];
    int numbers[2];
    for (int i = 0; i < 2; i++) {
      CHECK_EQ(bench.Add(pairs[i].watched, kReadable, i), 0);
      numbers[i] = pairs[i].watched;
    }
    for (Pair& pair : pairs) pair.CloseWatched();
    CHECK_EQ(bench.engine.AttachPolled(), 0);
    for (const int number : numbers) {
      if (what == 0) CHECK_EQ(bench.Delete(number), 0);
      if (what == 1) CHECK_EQ(bench.Modify(number, kReadable, 7), -EBADF);
      if (what == 2) CHECK_EQ(bench.Modify(number, 0, 7), -EBADF);
      if (what == 3) CHECK_EQ(bench.Add(number, kReadable, 7), -EBADF);
    }
    bench.Arm(kMs);
    pollfd polled{bench.engine.backend()->PollableFd(), POLLIN, 0};
    CHECK_EQ(poll(&polled, 1, static_cast<int>(kSoon / kMs)), 1);
    CHECK_EQ(bench.Harvest(), 0);
  }
}

THEME(polled_close_in_the_middle) {
  const int before = CountDescriptors();
  Engine engine;
  Record records[8];
  for (int i = 0; i < Scaled(300); i++) {
    CHECK_EQ(engine.Open(), 0);
    if (engine.backend()->PollableFd() == kNoFd) Skip("no descriptor to poll");
    Pair pair;
    CHECK_EQ(engine.Add(pair.watched, Ask{kReadable, Mode::kLevel, false}, 1), 0);
    CHECK_EQ(engine.AttachPolled(), 0);
    CHECK_EQ(engine.Arm(i % 2 == 0 ? kForever : 0, 8), 0);
    Crew other;
    const uint32_t id = engine.waker_id();
    if (i % 3 == 0) {
      other.Start([&] { pair.Write(); });
    } else if (i % 3 == 1) {
      other.Start([id] { NotifyWaker(id); });
    }
    if (i % 4 == 0) CHECK_DONE(engine.Harvest(records, 8));
    if (i % 5 == 0) engine.Detach();
    engine.Close();
    CHECK(!engine.attached());
    other.Join();
    CHECK(!NotifyWaker(id));
  }
  CHECK_EQ(CountDescriptors(), before);
}

// A child that executes something else inherits none of it.
THEME(polled_descriptors_are_closed_on_exec) {
  const int lowest = LowestFreeDescriptor();
  Loop loop;
  for (int fd = lowest; fd < lowest + 3; fd++) CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

}  // namespace pollux::harness
