// Descriptor numbers: closed, reused, moved, high; and what their former owners leave in the
// kernel.
#include <fcntl.h>
#include <unistd.h>

#include "harness.h"

namespace pollux::harness {
namespace {

// What a poller answers for `milliseconds`; every record must be of `key` (0: none may come).
void ExpectOnly(Bench& bench, uint32_t key, uint64_t milliseconds) {
  const uint64_t deadline = DeadlineAfter(milliseconds * kMs);
  while (TimeUntil(deadline) > 0) {
    const int count = bench.Wait(TimeUntil(deadline));
    for (int i = 0; i < count; i++) CHECK_EQ(bench.records[i].key, key);
  }
}

uint64_t Rebuilds(Bench& bench) { return bench.engine.backend()->counters().rebuilds; }

// Silence for so long, and on until the set was made anew: a wait is over in the midst of that if
// the machine stood still meanwhile.
void ExpectSilentRebuild(Bench& bench, uint64_t timeout) {
  do {
    bench.ExpectSilence(timeout);
  } while (Rebuilds(bench) == 0);
  CHECK_EQ(Rebuilds(bench), 1);
}

// Registers a pipe under `key`, closes the number with a duplicate still open, and returns that.
int LeaveGhost(Bench& bench, Pair& pair, uint32_t key) {
  CHECK_EQ(bench.Add(pair.watched, kReadable, key), 0);
  const int duplicate = fcntl(pair.watched, F_DUPFD_CLOEXEC, 200);
  CHECK(duplicate >= 0);
  pair.CloseWatched();
  return duplicate;
}

}  // namespace

THEME(a_closed_number_is_reused) {
  for (const uint32_t interest : {0u, static_cast<uint32_t>(kReadable)}) {
    Bench bench;
    Pair old, young;
    const int number = old.watched;
    CHECK_EQ(bench.Add(number, interest, 1), 0);
    old.CloseWatched();
    young.MoveWatched(number);
    CHECK_EQ(bench.Modify(number, kReadable, 9), -ENOENT);  // that one is gone
    CHECK_EQ(bench.Modify(number, 0, 9), -ENOENT);
    CHECK_EQ(bench.Add(number, interest, 2), 0);
    CHECK_EQ(bench.Add(number, interest, 3), -EEXIST);
    young.Write();
    if (interest == 0) {
      bench.ExpectSilence();
      CHECK_EQ(bench.Modify(number, kReadable, 2), 0);
    }
    bench.Expect(2, kReadable);
    CHECK_EQ(bench.Delete(number), 1);
  }
}

// At every size of the table, so also where this add makes it grow.
THEME(a_number_is_reused_among_many) {
  Bench bench;
  Pair reused;
  const int number = reused.watched;
  CHECK_EQ(bench.Add(number, kReadable, 0), 0);
  std::vector<std::unique_ptr<Pair>> others;
  for (uint32_t key = 1; key <= 150; key++) {
    others.push_back(std::make_unique<Pair>());
    CHECK_EQ(bench.Add(others.back()->watched, kReadable, 1000 + key), 0);
    Pair young;
    reused.CloseWatched();
    young.MoveWatched(number);
    std::swap(reused.watched, young.watched);
    std::swap(reused.other, young.other);
    CHECK_DONE(bench.Add(number, kReadable, key));
    reused.Write();
    bench.Expect(key, kReadable);
  }
  CHECK_EQ(bench.Delete(number), 1);
  for (const auto& pair : others) CHECK_EQ(bench.Delete(pair->watched), 0);
}

THEME(a_closed_number_is_deleted) {
  Bench bench;
  for (const uint32_t interest : {0u, static_cast<uint32_t>(kReadable)}) {
    Pair pair;
    const int number = pair.watched;
    CHECK_EQ(bench.Add(number, interest, 1), 0);
    pair.CloseWatched();
    const int modified = bench.Modify(number, kReadable, 1);
    CHECK(modified == -EBADF || modified == -ENOENT);
    CHECK_EQ(bench.Add(number, interest, 2), -EBADF);
    CHECK_EQ(bench.Delete(number), 0);
    CHECK_EQ(bench.Delete(number), -ENOENT);
    bench.ExpectSilence();
  }
}

// select: each closed one is reported once, as an error; the others are not disturbed. epoll: the
// kernel forgets it in silence.
THEME(closed_numbers_do_not_spin) {
  Bench bench;
  std::unique_ptr<Pair> pairs[8];
  int numbers[8];
  for (int i = 0; i < 8; i++) {
    pairs[i] = std::make_unique<Pair>();
    numbers[i] = pairs[i]->watched;
    const Mode mode = i == 6 ? Mode::kOneshot : Mode::kLevel;
    CHECK_EQ(bench.Add(numbers[i], i == 5 ? 0u : kReadable * 1u, i, mode), 0);
  }
  pairs[6]->Write();
  bench.Expect(6, kReadable);  // a oneshot that has fired: nobody waits for its number now
  for (const int i : {1, 2, 3, 5, 6}) pairs[i]->CloseWatched();
  bool reported[8] = {};
  for (;;) {
    const int count = bench.Wait(kMoment);
    if (count == -ETIMEDOUT) break;
    CHECK(count > 0);
    for (int i = 0; i < count; i++) {
      const uint32_t key = bench.records[i].key;
      CHECK(key < 8 && !reported[key]);
      reported[key] = true;
      CHECK_EQ(bench.records[i].events, kReadable | kError);
    }
  }
  for (int i = 0; i < 8; i++) {
    CHECK_EQ(reported[i], bench.TellsClosed() && (i == 1 || i == 2 || i == 3));
  }
  pairs[0]->Write();
  bench.Expect(0, kReadable);
  pairs[1] = std::make_unique<Pair>();
  pairs[1]->MoveWatched(numbers[1]);
  CHECK_EQ(bench.Add(numbers[1], kReadable, 11), 0);
  CHECK_EQ(pairs[0]->Drain(), 1);
  pairs[1]->Write();
  bench.Expect(11, kReadable);
  for (const int number : numbers) CHECK(bench.Delete(number) >= 0);
}

THEME(high_numbers) {
  const int limit = RaiseDescriptorLimit();
  if (limit < 2000) Skip("RLIMIT_NOFILE is too low");
  const int highest = limit > 19000 ? 19000 : limit - 20;
  Bench bench;
  Pair low;
  CHECK_EQ(bench.Add(low.watched, kReadable, 1), 0);
  std::vector<std::unique_ptr<Pair>> pairs;
  for (const int number : {63 + 64, 64 + 64, 1023, 1024, 1025, highest - 64, highest}) {
    pairs.push_back(std::make_unique<Pair>(Pair::kSocket));
    Pair& pair = *pairs.back();
    pair.MoveWatched(number);
    CHECK_EQ(bench.Add(number, kReadable, number), 0);
    pair.Write();
    bench.Expect(number, kReadable);
    CHECK_EQ(bench.Modify(number, kReadable | kWritable, number), 1);
    bench.Expect(number, kReadable | kWritable);
    CHECK_EQ(bench.Modify(number, kReadable, number), 1);
    CHECK_EQ(pair.Drain(), 1);
  }
  // Closed up there, without a delete.
  pairs.back()->CloseWatched();
  if (bench.TellsClosed()) bench.Expect(highest, kReadable | kError);
  bench.ExpectSilence();
  CHECK(bench.Delete(highest) >= 0);
  for (const auto& pair : pairs) {
    if (pair->watched >= 0) CHECK_EQ(bench.Delete(pair->watched), 0);
  }
  low.Write();
  bench.Expect(1, kReadable);
}

// Of a number that is closed while a duplicate keeps its file open, epoll goes on reporting events.
THEME(a_ghost_ends_in_a_rebuild) {
  Bench bench;
  if (!bench.Is("epoll")) Skip("no kernel set, no ghosts");
  Pair level, oneshot_fired, oneshot_armed, edge, paused, closed, ghost;
  CHECK_EQ(bench.Add(level.watched, kReadable, 1), 0);
  CHECK_EQ(bench.Add(oneshot_fired.watched, kReadable, 2, Mode::kOneshot), 0);
  CHECK_EQ(bench.Add(oneshot_armed.watched, kReadable, 3, Mode::kOneshot), 0);
  CHECK_EQ(bench.Add(edge.watched, kReadable, 4, Mode::kEdge), 0);
  CHECK_EQ(bench.Add(paused.watched, 0, 5), 0);
  CHECK_EQ(bench.Add(closed.watched, kReadable, 6), 0);
  oneshot_fired.Write();
  bench.Expect(2, kReadable);
  paused.Write();
  const int closed_number = closed.watched;
  closed.CloseWatched();
  const int number = ghost.watched;
  const int duplicate = LeaveGhost(bench, ghost, 7);
  CHECK_EQ(bench.Delete(number), 0);
  ghost.Write();
  const int descriptors = CountDescriptors();
  ExpectSilentRebuild(bench, 20 * kMs);
  const Counters& counters = bench.engine.backend()->counters();
  CHECK(counters.stale >= 1 && counters.stale < 10);
  CHECK_EQ(CountDescriptors(), descriptors);

  level.Write();
  bench.Expect(1, kReadable);
  level.Drain();
  oneshot_armed.Write();
  bench.Expect(3, kReadable);
  edge.Write();
  bench.Expect(4, kReadable);
  bench.ExpectSilence();
  CHECK_EQ(bench.Modify(paused.watched, kReadable, 5), 0);
  bench.Expect(5, kReadable);
  CHECK_EQ(bench.Delete(paused.watched), 1);
  CHECK_EQ(bench.Modify(oneshot_fired.watched, kReadable, 2, Mode::kOneshot), 0);
  bench.Expect(2, kReadable);
  // The closed one stayed behind: another file under its number is not watched for it.
  Pair stranger;
  stranger.MoveWatched(closed_number);
  stranger.Write();
  bench.ExpectSilence();
  CHECK_EQ(bench.Modify(closed_number, kReadable, 6), -ENOENT);
  CHECK_EQ(bench.Add(closed_number, kReadable, 8), 0);
  bench.Expect(8, kReadable);
  CHECK_EQ(bench.Delete(closed_number), 1);
  bench.engine.Notify();
  CHECK_EQ(bench.Wait(), 0);
  CHECK(fcntl(bench.engine.backend()->PollableFd(), F_GETFD) & FD_CLOEXEC);
  close(duplicate);
}

// The number of a ghost is reused: the newcomer never gets the ghost's events.
THEME(a_ghost_does_not_speak_for_another) {
  Bench bench;
  if (!bench.Is("epoll")) Skip("no kernel set, no ghosts");
  Pair ghost, young;
  const int number = ghost.watched;
  const int duplicate = LeaveGhost(bench, ghost, 1);
  young.MoveWatched(number);
  CHECK_EQ(bench.Add(number, kReadable, 2), 0);
  ghost.Write();
  do {
    ExpectOnly(bench, 0, 20);
  } while (Rebuilds(bench) == 0);
  young.Write();
  bench.Expect(2, kReadable);
  close(duplicate);
}

// More ghosts than one batch holds, so that none of them is in every batch.
THEME(many_ghosts_end_in_a_rebuild) {
  for (const uint32_t capacity : {1u, 2u, 8u}) {
    Bench bench(capacity);
    if (!bench.Is("epoll")) Skip("no kernel set, no ghosts");
    std::vector<int> duplicates;
    for (int i = 0; i < 20; i++) {
      Pair ghost;
      const int number = ghost.watched;
      duplicates.push_back(LeaveGhost(bench, ghost, 1));
      CHECK_EQ(bench.Delete(number), 0);
    }  // their writers are gone: each hangs up
    ExpectSilentRebuild(bench, 20 * kMs);
    Pair pair;
    CHECK_EQ(bench.Add(pair.watched, kReadable, 2), 0);
    pair.Write();
    bench.Expect(2, kReadable);
    for (const int duplicate : duplicates) close(duplicate);
  }
}

// With no descriptor to spare the rebuild must wait, and nothing may be lost meanwhile.
THEME(a_rebuild_waits_for_a_descriptor) {
  Bench bench;
  if (!bench.Is("epoll")) Skip("no kernel set, no ghosts");
  Pair ghost, other;
  CHECK_EQ(bench.Add(other.watched, kReadable, 2), 0);
  const int number = ghost.watched;
  const int duplicate = LeaveGhost(bench, ghost, 1);
  CHECK_EQ(bench.Delete(number), 0);
  ghost.Write();
  const int limit = RaiseDescriptorLimit();
  SetDescriptorLimit(LowestFreeDescriptor());
  bench.ExpectSilence(5 * kMs);
  CHECK_EQ(Rebuilds(bench), 0);
  other.Write();
  bench.Expect(2, kReadable);
  SetDescriptorLimit(limit);
  for (int i = 0; i < 3; i++) bench.Expect(2, kReadable);
  CHECK_EQ(other.Drain(), 1);
  ExpectSilentRebuild(bench, 5 * kMs);
  close(duplicate);
}

// The ghost's file comes back under its old number. Every add must succeed, and with its own key.
THEME(a_ghost_comes_back) {
  for (const uint32_t interest : {0u, static_cast<uint32_t>(kReadable)}) {
    // What the table knows of the number meanwhile: nothing, a paused pipe.
    for (const bool stranger_paused : {false, true}) {
      Bench bench;
      Pair pair, stranger;
      const int number = pair.watched;
      const int duplicate = LeaveGhost(bench, pair, 1);
      CHECK_EQ(bench.Delete(number), 0);
      if (stranger_paused) {
        stranger.MoveWatched(number);
        CHECK_EQ(bench.Add(number, 0, 2), 0);
      }
      CHECK_EQ(dup3(duplicate, number, O_CLOEXEC), number);
      close(duplicate);
      if (stranger_paused) stranger.watched = -1;
      pair.watched = number;
      CHECK_EQ(bench.Add(number, interest, 3), 0);
      pair.Write();
      if (interest == 0) {
        bench.ExpectSilence();
        CHECK_EQ(bench.Modify(number, kReadable, 3), 0);
      }
      bench.Expect(3, kReadable);
      CHECK_EQ(bench.Delete(number), 1);
      bench.ExpectSilence();
    }
  }
}

}  // namespace pollux::harness
