// What the polled themes share: an engine that ppoll(2) waits for, as libuv's loop does, and a
// ghost.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

namespace pollux::harness {

// An engine that is attached, polled by us.
class Loop : public Bench {
 public:
  explicit Loop(uint32_t its_capacity = 64) : Bench(its_capacity) {
    if (fd() == kNoFd) Skip("no descriptor to poll");
    AttachPolled();
  }
  int fd() { return engine.backend()->PollableFd(); }
  void AttachPolled() { CHECK_EQ(engine.AttachPolled(), 0); }
  bool Readable(uint64_t timeout = 0) {
    const uint64_t deadline = DeadlineAfter(timeout);
    for (;;) {
      const uint64_t left = TimeUntil(deadline);
      const timespec until{static_cast<time_t>(left / 1000000000u),
                           static_cast<long>(left % 1000000000u)};
      pollfd polled{fd(), POLLIN, 0};
      const int found = ppoll(&polled, 1, &until, nullptr);
      if (found < 0 && errno == EINTR) continue;
      CHECK(found >= 0);
      CHECK(found == 0 || polled.revents == POLLIN);
      return found == 1;
    }
  }
  // One round: there is something, take it.
  int Turn() {
    CHECK(Readable(kSoon));
    return Harvest();
  }
  void ExpectTurn(uint32_t key) {
    CHECK_EQ(Turn(), 1);
    CHECK_EQ(records[0].key, key);
    CHECK_EQ(records[0].events, kReadable);
  }
  // Rounds until there are records: a mere wake comes between.
  int Batch() {
    for (;;) {
      Arm();
      const int count = Turn();
      CHECK(count >= 0);
      if (count > 0) return count;
    }
  }
  // The deadline comes, nothing else does, and it is said once.
  void ExpectDeadline(uint64_t not_before) {
    CHECK_EQ(Turn(), 0);
    CHECK(MonotonicNs() >= not_before);
    CHECK(!Readable());
  }
};

// A member whose number is closed while its file is not: what it reports is nobody's. It ends when
// the set is made anew.
class Ghost {
 public:
  explicit Ghost(Bench& bench) {
    CHECK_EQ(bench.Add(pair_.watched, kReadable, 99), 0);
    duplicate_ = fcntl(pair_.watched, F_DUPFD_CLOEXEC, 0);
    const int number = pair_.watched;
    pair_.CloseWatched();
    CHECK_DONE(bench.Delete(number));
    pair_.Write();
  }
  ~Ghost() { close(duplicate_); }

 private:
  Pair pair_;
  int duplicate_;
};

inline uint64_t Rebuilds(Bench& bench) { return bench.engine.backend()->counters().rebuilds; }

}  // namespace pollux::harness
